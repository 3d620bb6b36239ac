import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform

struct ContainerStartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start backup system, which consists of the wal_archive and standby processes.",
        discussion: """
            Starts a supervisor in the background, which keeps both running and starts them again when they die. \
            Returns when they work. Run as root, it first mounts the container's pool if it has one, for example \
            after a reboot; systemd does the same with pgarchive@NAME.service.

            SEE ALSO
              container status, container stop, container run
            """
    )

    @OptionGroup var global: GlobalOptions

    func run() throws {
        try global.mountPool()
        let container = try global.locator.open(global.selector)
        try Privileges.becomeOwner(of: container)
        let reply = try SupervisorStart(container).start(parts: Part.allCases)
        try PartCommands.show(reply, Part.allCases, global.render)
    }
}

extension GlobalOptions {
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
