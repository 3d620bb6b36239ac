import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CloneStopCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop a clone, or with --all every clone of the container.",
        discussion: """
            Waits until the server has ended; one that is not running is fine. The clone keeps its data, and goes on \
            from there when it is started again. While it waits for clients (smart), another stop with -m fast sends \
            them away.

            EXAMPLES
              pgarchive clone stop look
              pgarchive clone stop --all -m immediate

            SEE ALSO
              clone start, clone delete
            """
    )

    @Argument(help: "The clone; not with --all.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String?

    @Flag(help: "Stop every running clone of the container.")
    var all = false

    @OptionGroup var stop: StopOptions

    @OptionGroup var wait: WaitOptions

    @OptionGroup var pgCtl: PgCtlOptions

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if all == (name != nil) { throw ValidationError("give either a clone's name or --all") }
    }

    func run(in container: Container) throws {
        try pgCtl.refuse(forClone: name ?? "NAME", in: container)
        let catalog = CloneCatalog(container)
        let records = try name.map { [try catalog.find($0)] } ?? catalog.listed()
        var stopped: [String] = []
        var failures: [ArchiveError] = []
        for record in records {
            do {
                let server = CloneServer(container, record)
                if try server.stop(mode: stop.engineMode(), timeoutSeconds: wait.seconds) {
                    stopped.append(record.name)
                }
            } catch let error as ArchiveError where all {
                // One clone that does not stop is no reason to leave the others running.
                failures.append(error)
            }
        }
        try render.done(Outcome(done: wait.noWait ? "stopping" : "stopped", names: stopped), sentence(stopped))
        if let first = failures.first {
            throw ArchiveError(first.code, first.what, hint: first.hint, details: failures.dropFirst().map(\.what))
        }
    }

    private func sentence(_ stopped: [String]) -> String {
        if stopped.isEmpty { return all ? "no clone was running" : "clone '\(name ?? "")' was not running" }
        return stopped.map { "clone '\($0)' \(wait.noWait ? "is stopping" : "stopped")" }.joined(separator: "\n")
    }
}
