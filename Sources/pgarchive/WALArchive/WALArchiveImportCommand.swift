import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct WALArchiveImportCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Adopt the WAL of another archive of the same cluster.",
        discussion: """
            Of a directory that an archive_command, pg_receivewal or another tool filled: segments, plain or as .gz, \
            .lz4 or .zst, timeline histories and backup histories. Each is checked as if the server archived it now: \
            cluster, size, timeline, every page and record. What is here already stays, and must have the same \
            content. The directory is only read; partial segments and other files are left. Files of a timeline newer \
            than the container's newest are refused: the future comes from the upstream.

            WAL from before the oldest snapshot reaches no clone, and goes with the next expiry.

            EXAMPLES
              pgarchive wal_archive import /mnt/old-archive --dry-run
              pgarchive wal_archive import /mnt/old-archive

            EXIT CODES
              6   no such directory
              10  some files were refused, and are named

            SEE ALSO
              wal_archive verify, window
            """
    )

    @Argument(help: ArgumentHelp("The other archive.", valueName: "dir"), completion: .directory)
    var directory: String

    @Flag(name: [.customLong("dry-run"), .customShort("n")], help: "Only show which files are not here.")
    var dryRun = false

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let interruption = try Interruption()
        let outcome = try global.withProgress { progress in
            try ArchiveImport(container, from: directory, progress: progress, interruption: interruption)
                .run(dryRun: dryRun)
        }
        if !outcome.ignored.isEmpty {
            let more = outcome.ignored.count > 3 ? " and \(outcome.ignored.count - 3) more" : ""
            render.remark("left, as not complete WAL: \(outcome.ignored.prefix(3).joined(separator: ", "))\(more)")
        }
        for refused in outcome.refused { render.warning("\(refused.file): \(refused.reason)") }
        let verb = dryRun ? "would be adopted" : "adopted (\(HumanText.bytes(outcome.bytes)))"
        try render.done(
            outcome,
            "\(HumanText.count(outcome.adopted.count, "file")) \(verb), \(outcome.present) here already, "
                + "\(outcome.refused.count) refused"
        )
        if !outcome.refused.isEmpty { throw ExitCode(ErrorCode.findings.rawValue) }
    }
}
