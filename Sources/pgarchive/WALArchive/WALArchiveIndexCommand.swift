import ArchiveEngine
import ArgumentParser
import Platform

struct WALArchiveIndexCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "index",
        abstract: "Bring the index up to date, or build it anew.",
        discussion: """
            The index, index.sqlite in the container, has a row for each complete segment and one for each event in \
            it, and the names of tables. 'events', 'window' and the targets of clones are found through it. The \
            supervisor keeps it up to date by itself: there is no need to run this command.

            No data depends on it. It may be deleted at any time, also while everything runs: the WAL is read \
            instead, and it is made again from the WAL archive and the standby's catalogs. Only the names of tables \
            that are gone are lost with it, and have to be looked up again. With --rebuild the WAL archive is read \
            again from its first segment on, and those names are kept.

            EXAMPLES
              pgarchive wal_archive index
              pgarchive wal_archive index --rebuild

            SEE ALSO
              wal_archive events, wal_archive window
            """
    )

    @Flag(help: "Read the whole WAL archive again.")
    var rebuild = false

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let result = try global.withProgress { progress in
            try IndexUpkeep(container, progress: progress).run(rebuild: rebuild, say: { render.warning($0) })
        }
        try render.show(result) { _ in
            "\(HumanText.count(Int(clamping: result.extent.segments), "segment")) indexed"
                + " (\(result.outcome.segmentsRead) read now, \(result.outcome.segmentsRemoved) removed): "
                + "\(HumanText.count(Int(clamping: result.extent.records), "record")), "
                + "\(HumanText.count(Int(clamping: result.extent.events), "event")), "
                + "\(HumanText.count(Int(clamping: result.extent.names), "name")); "
                + "\(HumanText.bytes(result.bytes)) in \(HumanText.elapsed(seconds: result.seconds))\n"
                + (result.extent.faults > 0
                    ? "\(HumanText.count(Int(clamping: result.extent.faults), "segment")) cannot be read to the end: "
                        + "'pgarchive wal_archive window' shows what that costs\n" : "")
        }
    }
}
