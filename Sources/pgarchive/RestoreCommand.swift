import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Glibc
import Platform
import PostgresLink
import WALFormat
import WALStore

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a complete data directory, recovered to a target, for production.",
        discussion: """
            Copies the best snapshot to --to, recovers it to the target (without one: to the newest state there is), \
            promotes it, shuts it down cleanly and makes it durable. What is left to do is to start it; --start does \
            that too. Until it has recovered nobody can connect to it. The target is looked up first, and printed; \
            one that cannot be reached is refused before anything is made.

            The directory must be empty, or not exist. Tablespaces go to DIR.tablespaces/OID, or where --tablespace \
            says. The settings are the upstream's own where they were in its data directory, as at 'container init'.

            AFTER A CRASH
            Keep the crashed server's data directory aside, and name it with --wal-from: commits in its pg_wal that \
            had not been received are taken into the archive first, and are in the restored cluster.

            IN PLACE, AND BACK
            --swap DIR restores beside a stopped server's data directory, checks the result (also all its pages' \
            checksums, where it has them), gives it DIR's own settings, and exchanges the two names in one step. The \
            cluster that was there is DIR.kept then: --swap-back DIR exchanges the two again, --swap-remove DIR \
            removes it. Say 'wal_archive stop' before, and 'wal_archive start' after --swap-back.

            EXAMPLES
              pgarchive restore --to /var/lib/postgresql/15/main
              pgarchive restore --to /srv/main --at '2026-11-21 08:50' --start
              pgarchive restore --to /srv/main --wal-from /srv/main.crashed
              pgarchive restore --swap /srv/main --before-drop shop.orders --start
              pgarchive restore --swap-back /srv/main

            EXIT CODES
              4  the target cannot be reached, the directory is not empty, or too small,
                 or the server whose cluster is to be replaced is running
              5  interrupted: what was restored is removed
              7  another restore is at work there
              9  WAL on the way is damaged

            SEE ALSO
              clone create, window, wal_archive verify
            """
    )

    @Option(help: ArgumentHelp("The data directory to make.", valueName: "dir"), completion: .directory)
    var to: String?

    @OptionGroup(title: "In place") var swapOptions: SwapOptions

    @OptionGroup(title: "Target") var targetOptions: TargetOptions

    @OptionGroup var tablespaces: TablespaceOptions

    @Option(
        help: ArgumentHelp("The crashed upstream's data directory, or its pg_wal.", valueName: "dir"),
        completion: .directory
    )
    var walFrom: String?

    @Flag(help: "Start the restored server, with its own settings.")
    var start = false

    @Flag(
        name: [.customLong("dry-run"), .customShort("n")],
        help: "Look the target up and show what would be done; change nothing."
    )
    var dryRun = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        let ways = [to, swapOptions.swap, swapOptions.swapBack, swapOptions.swapRemove].compactMap(\.self)
        guard ways.count == 1 else {
            throw ValidationError("say where: one of --to, --swap, --swap-back and --swap-remove, with a directory")
        }
        if swapOptions.isOfKept, !targetOptions.hasNoTarget || walFrom != nil || start {
            throw ValidationError("--swap-back and --swap-remove take no target: nothing is restored")
        }
        _ = try request()
        if dryRun, walFrom != nil {
            throw ValidationError("--wal-from changes the archive: leave it out with --dry-run")
        }
    }

    private func request() throws -> TargetRequest {
        try TargetRequest(targetOptions, otherwise: .latest)
    }

    func run() throws {
        let container = try global.locator.open(global.selector)
        guard let to else {
            try Privileges.becomeOwner(of: container)
            if swapOptions.isOfKept { return try swapOptions.run(in: container, dryRun: dryRun, global) }
            return try run(in: container, to: nil)
        }
        let directories = try directoriesForRoot(container, to)
        guard directories.isEmpty else {
            let setup = try PrivilegedSetup(
                locator: global.locator,
                owner: container.identity.owner,
                arguments: Array(CommandLine.arguments.dropFirst()),
                environment: Handover.environment
            )
            let code = try setup.restore(into: directories)
            if code != 0 { throw ExitCode(code) }
            return
        }
        try Privileges.becomeOwner(of: container)
        try run(in: container, to: to)
    }

    /// Those whose parents the owner cannot write to; the owner makes what lies in a directory of its own.
    private func directoriesForRoot(_ container: Container, _ to: String) throws -> [String] {
        guard geteuid() == 0, !dryRun, let owner = try SystemUser.named(container.identity.owner), owner.uid != 0
        else { return [] }
        let data = FileTree.absolute(to)
        var wanted = [data] + (try tablespaces.mapping().values.map { FileTree.absolute($0) })
        let hasTablespaces = try SnapshotCatalog(container).all().contains {
            try !ClusterRestore.tablespaces(container, snapshot: $0.name).isEmpty
        }
        if hasTablespaces { wanted.append("\(data).tablespaces") }
        return try wanted.filter { directory in
            let parent = FilePath.parent(of: directory)
            return try !FileTree.exists(directory) && FileTree.isDirectory(parent)
                && FileTree.status(parent).uid != owner.uid
        }
    }

    /// - Parameter to: nil when a cluster in place is to be replaced.
    private func run(in container: Container, to: String?) throws {
        let render = global.render
        let interruption = try Interruption()
        let request = try request()
        let mapping = try tablespaces.mapping()
        let swap = try swapOptions.swap.map { try ClusterSwap(container, directory: $0) }
        func place(_ oids: [UInt32]) throws -> RestorePlace {
            try swap?.place(mapping: mapping, oids: oids)
                ?? RestorePlace(data: to ?? "", mapping: mapping, oids: oids)
        }
        // What needs no plan is looked at before the archive is.
        try swap?.check(start: start)
        if swap?.isPending != true { try place(Array(mapping.keys)).check(container) }
        var crashed = try walFrom.map { try CrashedCluster(container, directory: $0).look() }
        if request.isBeforeDrop || crashed?.found.goesOnFromRecord == false {
            // Which table a drop is of only the archive's index knows; and what is cut here is whole there.
            try take(crashed)
            crashed = nil
        }
        let plan = try request.plan(in: container, for: "restore", and: crashed, global)
        let place = try place(ClusterRestore.tablespaces(container, snapshot: plan.snapshot))
        if swap?.isPending != true { try place.check(container) }
        let view = RestorePlanView(place: place, swap: swap, requested: request.text, plan: plan)
        if dryRun {
            try render.show(view) { _ in view.text }
            return
        }
        try place.checkSpace(container, plan)
        // Up to here nothing was changed, but where the WAL had to be taken before the plan was made.
        try take(crashed)
        render.remark(ClonePlanView(name: "restore", requested: request.text, plan: plan).summary)
        try restore(container, plan, requested: request.text, place, swap, interruption)
    }

    private func take(_ crashed: CrashedWAL?) throws {
        guard let crashed, let walFrom else { return }
        try global.withProgress { progress in
            progress.step("taking the WAL that was not received")
            try crashed.take()
        }
        let found = crashed.found
        guard !found.isEmpty else {
            return global.render.remark("'\(walFrom)' has no WAL that is not in the archive")
        }
        global.render.remark(
            "taken from '\(walFrom)': WAL from \(found.from) to \(found.to), "
                + HumanText.bytes(found.to.bytes(since: found.from))
                + (found.path.target > found.timeline ? ", on to timeline \(found.path.target)" : "")
        )
    }

    private func restore(
        _ container: Container,
        _ plan: RestorePlan,
        requested: String,
        _ place: RestorePlace,
        _ swap: ClusterSwap?,
        _ interruption: Interruption
    ) throws {
        let render = global.render
        var result = try global.withProgress { progress in
            let restore = ClusterRestore(
                container,
                plan: plan,
                requested: requested,
                place: place,
                swap: swap,
                progress: progress,
                interruption: interruption
            )
            let restored = try restore.run()
            if start {
                progress.step("starting it")
                try restore.start()
            }
            return restored
        }
        result.isRunning = start
        for remark in result.remarks { render.remark(remark) }
        var next =
            start
            ? "it is running"
            : "start it as its user: \(try container.installation().tool("pg_ctl")) -D \(result.directory) start"
        if let kept = result.kept { next += ". What was there is in '\(kept)': --swap-back, --swap-remove" }
        try render.done(
            result,
            "restored to '\(result.directory)' in \(HumanText.elapsed(seconds: result.seconds)): "
                + "\(HumanText.bytes(result.copiedBytes)) copied, \(HumanText.bytes(result.replayedBytes)) of WAL "
                + "replayed up to \(result.stop), now on timeline \(result.timeline); \(next)"
        )
    }
}

/// What a restore would do.
struct RestorePlanView: Encodable {
    let directory: String
    /// Where the cluster goes that is there.
    let kept: String?
    let tablespaces: [String: String]
    let requested: String
    let plan: RestorePlan

    init(place: RestorePlace, swap: ClusterSwap?, requested: String, plan: RestorePlan) {
        directory = swap?.data ?? place.data
        kept = swap?.kept
        tablespaces = Dictionary(uniqueKeysWithValues: place.tablespaces.map { ("\($0.key)", $0.value) })
        self.requested = requested
        self.plan = plan
    }

    var text: String {
        var text = ClonePlanView(name: directory, requested: requested, plan: plan).text
            .replacing("clone  ", with: "to     ", maxReplacements: 1)
        if let kept { text += "what is in \(directory) goes to \(kept)\n" }
        for (oid, directory) in tablespaces.sorted(by: { $0.key < $1.key }) {
            text += "tablespace \(oid) goes to \(directory)\n"
        }
        return text
    }
}
