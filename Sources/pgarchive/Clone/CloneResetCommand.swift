import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CloneResetCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Take a clone back to what it was made of.",
        discussion: """
            All that was written in it is gone; its name, port and settings stay. It recovers to its target again, or \
            is again what its branch point holds; what --run-sql and --password did is done again, and when that \
            fails it is as it was. It is stopped for it, and started again when it was running. Its snapshot and \
            that one's WAL must still be there.

            EXAMPLES
              pgarchive clone reset rehearsal

            EXIT CODES
              4  what it was made of is gone, or it is protected: nothing changed
              5  interrupted: it is as it was, or reset and stopped
              6  no such clone
              7  another command is at work on it

            SEE ALSO
              clone snapshot, clone duplicate
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let interruption = try Interruption()
        let outcome = try global.withProgress { progress in
            try CloneReset(container, progress: progress, interruption: interruption).run(name: name)
        }
        let result = CloneResult(clone: outcome.record, started: outcome.started, passwords: outcome.passwords)
        try result.show(render, verb: "reset")
    }
}
