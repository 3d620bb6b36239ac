import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Glibc
import Platform

struct ContainerPurgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Completely remove the full backup location and the replication slot.",
        discussion: """
            Says what it will remove, and asks; with --force it does not ask. Make sure nothing at all is needed any \
            more, and everything is stopped: it refuses while anything runs. Tries to read the container's settings, \
            and falls back to the same options and environment that init uses. Works when the upstream is gone: then \
            it says how to drop the slot later.

            EXAMPLE
              pgarchive clone stop --all && pgarchive container stop && pgarchive container purge

            SEE ALSO
              container stop, container init
            """
    )

    @Flag(help: "Do not ask.")
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
        if ownersPart { return try carryOut(purge) }
        let name = FilePath.name(of: root)
        let owner = try account(root)
        let hasPool = root == FilePath.join(locator.home, name) && ContainerPool(locator: locator, name: name).exists
        if hasPool, !SystemUser.isRoot {
            throw ArchiveError(.refused, "only root can remove the container's pool", hint: "run it as root")
        }
        let plan = try purge.plan(pool: hasPool ? locator.pool(of: name).image : nil)
        if !(global.quiet && force) { StandardError.write(Self.text(plan)) }
        try ContainerPurge.requireStopped(plan)
        if !force { try confirm(name) }
        if SystemUser.isRoot, owner.uid != 0 {
            let setup = try PrivilegedSetup(
                locator: locator,
                owner: owner.name,
                arguments: ["container", "purge", "--container", root] + (global.quiet ? ["--quiet"] : []),
                environment: Handover.environment.merging(upstream.environment) { $1 }
            )
            let code =
                hasPool
                ? try setup.purgeWithPool(name: name, childFlag: "--owners-part")
                : try setup.purgeDirectory(root: root, childFlag: "--owners-part")
            if code != 0 { throw ExitCode(code) }
        } else {
            try Privileges.become(owner: owner.name)
            try carryOut(purge)
        }
        ContainerLink(locator: locator, root: root).remove()
        try render.done(plan, "container '\(name)' removed")
    }

    private func carryOut(_ purge: ContainerPurge) throws {
        let remarks = try global.withProgress { try purge.run(progress: $0) }
        for remark in remarks { render.warning(remark) }
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
        let isOurs = [paths.identity, paths.initMark, paths.walArchive].contains { FileTree.exists($0) }
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

    private func account(_ root: String) throws -> SystemUser {
        if let container = try? Container.open(root), let owner = try SystemUser.named(container.identity.owner) {
            return owner
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
