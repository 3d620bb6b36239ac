import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform

struct ContainerStartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start the wal_archive and standby processes, and keep them running.",
        discussion: """
            Starts a supervisor in the background, which starts both, and starts them again when they die. Returns \
            when the standby answers queries, however long it has to replay before, and the receiver has tried to \
            connect, and says whether the upstream has answered; or with exit code 1 and the reason when one does not \
            start; it goes on being tried, also after Ctrl-C. What runs already is left alone. Clones are not started.

            Run as root, it mounts the container's pool first, as is needed after a reboot. Under systemd use \
            'systemctl start pgarchive@NAME' instead, which does the same.

            EXAMPLES
              sudo pgarchive container start --container prod

            SEE ALSO
              container status, container stop, clone start
            """
    )

    @OptionGroup var wait: WaitOptions

    @OptionGroup var global: GlobalOptions

    func run() throws {
        try global.mountPool()
        let container = try global.locator.open(global.selector)
        try Privileges.becomeOwner(of: container)
        let reply = try SupervisorStart(container).start(parts: container.parts, wait.patience(global.render))
        try PartCommands.showStarted(reply, container.parts, wait, in: container, global.render)
    }
}

extension CommonOptions {
    /// As root: mounts the pool of the container that is meant, if it has one that is not mounted.
    func mountPool() throws {
        guard SystemUser.isRoot else { return }
        let locator = locator
        let entries = try locator.list()
        guard
            let root = try selector.map({ try locator.root(of: $0) })
                ?? (entries.count == 1 ? entries.first?.root : nil)
        else { return }
        let pool = ContainerPool(locator: locator, name: FilePath.name(of: root))
        let isInHome = root == FilePath.join(locator.home, FilePath.name(of: root))
        if isInHome, pool.exists, try !MountTable.isMountPoint(root) { try pool.mount() }
    }
}
