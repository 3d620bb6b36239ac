import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct ContainerListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the containers of this host.",
        discussion: """
            Those in $PGARCHIVE_HOME (default: /var/lib/pgarchive), those elsewhere that are linked there, as \
            'container init' does, and those whose pool is not mounted. STATE 'running' means that the supervisor \
            runs; 'container status' tells the rest.

            EXAMPLES
              pgarchive container list

            SEE ALSO
              container status, container init
            """
    )

    @OptionGroup var options: OutputOptions

    /// A container as it is listed.
    struct Row: Encodable {
        let name: String
        let root: String
        var major: Int?
        var driver: StorageDriverKind?
        var owner: String?
        var running: Bool?
        var problem: String?
    }

    func run() throws {
        let locator = ContainerLocator(environment: Handover.environment)
        let rows = try locator.list().map(row)
        try options.render.list(rows, name: \.name) { palette in
            var table = TableText(
                [
                    ("NAME", .left), ("STATE", .left), ("POSTGRESQL", .right), ("DRIVER", .left), ("OWNER", .left),
                    ("DIRECTORY", .left),
                ],
                whenEmpty: "no containers in \(locator.home)"
            )
            for row in rows {
                let state: TableText.Cell =
                    row.problem.map { .init($0, .bad) }
                    ?? (row.running == true ? .init("running", .good) : .init("stopped", .faint))
                table.add([
                    .init(row.name), state, .init(row.major.map { "\($0)" } ?? "-"),
                    .init(row.driver?.rawValue ?? "-"), .init(row.owner ?? "-"), .init(row.root),
                ])
            }
            return table.text(palette)
        }
    }

    private func row(_ entry: ContainerLocator.Entry) -> Row {
        var row = Row(name: entry.name, root: entry.root, problem: entry.problem)
        guard entry.problem == nil else { return row }
        do {
            let container = try Container.open(entry.root)
            row.major = container.identity.major
            row.driver = container.identity.driver
            row.owner = container.identity.owner
            row.running = ControlClient(container).supervisor != nil
        } catch {
            row.problem = Failure(error).what
        }
        return row
    }
}
