import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform

struct ContainerDashboardCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "dashboard",
        abstract: "Show the status, the newest snapshots, the clones, and the ends of the logs.",
        discussion: """
            All on one page, for a person who looks. The exit code is 0 whether or not all is running: a monitor \
            should ask 'container status'.

            EXAMPLES
              watch -n 5 pgarchive container dashboard
              pgarchive container dashboard --lines 20

            SEE ALSO
              container status, wal_archive log, standby log
            """
    )

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("Lines to show of each log, 0 to 1000.", valueName: "count")
    )
    var lines = 5

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (0...1000).contains(lines) else { throw ValidationError("--lines is 0 to 1000") }
    }

    /// All of it, for programs.
    private struct Dashboard: Encodable {
        let status: StatusReport
        let snapshots: [SnapshotRow]
        let clones: [CloneRow]
        let logs: [String: [String]]
    }

    func run(in container: Container) throws {
        let logs = try logs(container)
        let space = SnapshotSpace.read(container)
        let dashboard = Dashboard(
            status: try StatusReport.gather(container),
            snapshots: try SnapshotCatalog(container).all().suffix(10).map {
                SnapshotRow(record: $0, space: space[$0.name])
            },
            clones: try CloneCatalog(container).listed().map { CloneRow($0, in: container) },
            logs: Dictionary(uniqueKeysWithValues: logs)
        )
        try render.show(dashboard) { palette in
            StatusText.whole(dashboard.status, palette)
                + section("newest snapshots", palette)
                + SnapshotListCommand.table(dashboard.snapshots, whenEmpty: "no snapshots").text(palette)
                + section("clones", palette)
                + CloneListCommand.table(dashboard.clones, withStatus: true, whenEmpty: "no clones").text(palette)
                + logs.map { name, lines in
                    section(name, palette) + (lines.isEmpty ? "-\n" : lines.map { $0 + "\n" }.joined())
                }.joined()
        }
    }

    private func section(_ title: String, _ palette: Palette) -> String {
        "\n" + palette.bold("== \(title)") + "\n"
    }

    private func logs(_ container: Container) throws -> [(String, [String])] {
        let paths = container.paths
        let parts = [
            ("wal_archive.log", LogView(file: paths.receiverLog, what: "wal_archive.log")),
            ("standby", LogView(serverLogsIn: paths.standbyLog, what: "the standby's log")),
            ("supervisor.log", LogView(file: paths.supervisorLog, what: "supervisor.log")),
        ]
        // Those of the jobs that have run.
        let jobs = ["snapshot", "wal_archive", "btrfs"].map { ("cron_\($0).log", paths.cronLog($0)) }
            .filter { FileTree.exists($0.1) }
            .map { ($0.0, LogView(file: $0.1, what: $0.0)) }
        return (parts + jobs).map { ($0.0, (try? $0.1.lastLines(lines)) ?? []) }
    }
}
