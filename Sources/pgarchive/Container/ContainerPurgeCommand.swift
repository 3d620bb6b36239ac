import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Glibc
import Platform

struct ContainerPurgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Remove a container with all that is in it, and its replication slot.",
        discussion: """
            There is no way back. Purge lists what it will remove and asks you to type the container's name. It \
            refuses while anything of the container runs. A container with a pool is purged by root.

            When the upstream cannot be reached, the container is removed all the same, and a warning names the slot \
            with the SQL that drops it. Do so: a slot left behind makes the upstream keep WAL until its disk is \
            full.

            Where the settings cannot be read, UPSTREAM, UPSTREAM_REPL and SLOT, or the options, tell where the slot \
            is; without them the local server is tried. When that is not the upstream, nothing is removed, unless \
            forced.

            EXAMPLES
              pgarchive clone stop --all && pgarchive container stop
              pgarchive container purge
              UPSTREAM='host=db1 user=postgres' pgarchive container purge

            EXIT CODES
              4   not confirmed, needs root, or the upstream is not known; nothing gone
              7   something is running
              10  removed, but for a slot that must be dropped by hand

            SEE ALSO
              container stop, clone stop
            """
    )

    @Flag(help: "Do not ask, and go on when the upstream is not known. What runs is still not stopped.")
    var force = false

    /// The part of a purge that root leaves to the owner.
    @Flag(help: .hidden)
    var ownersPart = false

    @OptionGroup(title: "Upstream, where the settings cannot be read") var upstream: UpstreamOptions

    @OptionGroup var global: GlobalOptions

    private var render: Render { global.render }

    func run() throws {
        let locator = global.locator
        let root = try place(locator)
        let purge = ContainerPurge(
            root: root,
            upstream: upstream.sql,
            upstreamReplication: upstream.replication,
            slot: upstream.slotName
        )
        if ownersPart { return try exit(try carryOut(purge)) }
        let name = FilePath.name(of: root)
        let pool = ContainerPool(locator: locator, name: name)
        let hasPool = root == FilePath.join(locator.home, name) && pool.exists
        let owner = try account(root, pool: hasPool ? pool : nil)
        if hasPool, !SystemUser.isRoot {
            throw ArchiveError(.refused, "only root can remove the container's pool", hint: "run it as root")
        }
        let plan = try purge.plan(pool: hasPool ? locator.pool(of: name).image : nil)
        if !(global.quiet && force) { StandardError.write(Self.text(plan)) }
        if plan.isSynchronous { render.warning(WaitingCommits.forEver) }
        try ContainerPurge.requireStopped(plan)
        if !force { try confirm(name) }
        let isFinding: Bool
        if SystemUser.isRoot, owner.uid != 0 {
            let setup = try PrivilegedSetup(
                locator: locator,
                owner: owner.name,
                arguments: ["container", "purge", "--container", root] + (force ? ["--force"] : [])
                    + (global.quiet ? ["--quiet"] : []),
                environment: Handover.environment.merging(upstream.environment) { $1 }
            )
            let code =
                hasPool
                ? try setup.purgeWithPool(name: name, childFlag: "--owners-part")
                : try setup.purgeDirectory(root: root, childFlag: "--owners-part")
            guard PrivilegedSetup.isPurged(code) else { throw ExitCode(code) }
            isFinding = code != 0
        } else {
            try Privileges.become(owner: owner.name)
            isFinding = try carryOut(purge)
        }
        ContainerLink(locator: locator, root: root).remove()
        try render.done(plan, "container '\(name)' removed" + (isFinding ? ", but for its slot" : ""))
        try exit(isFinding)
    }

    /// - Returns: whether something is left that must be looked after.
    private func carryOut(_ purge: ContainerPurge) throws -> Bool {
        let remains = try global.withProgress { try purge.run(force: force, progress: $0) }
        for remark in remains.remarks { render.warning(remark) }
        return remains.isFinding
    }

    private func exit(_ isFinding: Bool) throws {
        if isFinding { throw ExitCode(ErrorCode.findings.rawValue) }
    }

    /// The directory to remove, which need not be a whole container any more.
    private func place(_ locator: ContainerLocator) throws -> String {
        guard let selector = global.selector else { return try locator.locate(nil) }
        let root = try locator.root(of: selector)
        let name = FilePath.name(of: root)
        if root == FilePath.join(locator.home, name), ContainerPool(locator: locator, name: name).exists {
            try mountPool(locator, name, root)
            return root
        }
        let paths = ContainerPaths(root: root)
        let signs = [paths.identity, paths.initMark, paths.initLock, paths.walArchive, paths.settings]
        let isOurs = signs.contains { FileTree.exists($0) }
        guard isOurs else { return try locator.locate(selector) }
        return try FileTree.resolved(root)
    }

    /// A pool that cannot be mounted is removed all the same, and the slot by what the environment says.
    private func mountPool(_ locator: ContainerLocator, _ name: String, _ root: String) throws {
        guard SystemUser.isRoot, try !MountTable.isMountPoint(root) else { return }
        do {
            try ContainerPool(locator: locator, name: name).mount()
        } catch {
            render.warning("the pool cannot be mounted: \(error)")
        }
    }

    private func account(_ root: String, pool: ContainerPool?) throws -> SystemUser {
        let known = [(try? Container.open(root))?.identity.owner, pool?.record?.owner].compactMap { $0 }
        for name in known {
            if let owner = try SystemUser.named(name) { return owner }
        }
        let uid = (try? FileTree.status(root).uid) ?? geteuid()
        return try SystemUser.withID(uid) ?? SystemUser.current()
    }

    private func confirm(_ name: String) throws {
        guard Terminal.isTerminal(STDIN_FILENO) else {
            throw ArchiveError(
                .refused,
                "there is no terminal to ask on, so nothing was removed",
                hint: "--force removes it without a question"
            )
        }
        StandardError.write("Type the container's name to remove it for good: ")
        guard readLine() == name else {
            throw ArchiveError(.refused, "not confirmed; nothing was removed", hint: "the name is '\(name)'")
        }
    }

    private static func text(_ plan: ContainerPurge.Plan) -> String {
        var lines = ["container   \(plan.root)"]
        if let slot = plan.slot {
            lines.append("slot        \(slot)" + (plan.upstream.map { " on \($0)" } ?? ", upstream not known"))
        }
        lines.append("WAL         \(HumanText.bytes(plan.walBytes))")
        lines.append("snapshots   \(plan.snapshots.isEmpty ? "none" : plan.snapshots.joined(separator: ", "))")
        lines.append("clones      \(plan.clones.isEmpty ? "none" : plan.clones.joined(separator: ", "))")
        if let pool = plan.pool { lines.append("pool        \(pool)") }
        return "to be removed:\n" + lines.map { "  \($0)\n" }.joined()
    }
}
