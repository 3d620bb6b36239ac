import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform
import PostgresLink

struct ContainerInitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a new container, and a replication slot for it on the upstream.",
        discussion: """
            Looks at the upstream first and lists all that is missing there, each with the line that mends it. Then \
            it creates the slot, receives WAL from it, copies the data with a base backup, starts the standby, and \
            returns when that is consistent: from then on all runs. A failed or interrupted init removes what it \
            made, the slot too; what a killed one left, the next init there removes, or a purge.

            Name the new container with --container or PGARCHIVE: a name stands for a directory below \
            $PGARCHIVE_HOME, a path with a slash for itself. Neither the directory nor the slot may exist yet. \
            Connections and slot are written to the container's pgarchive.toml (upstream, upstream_repl, slot) and \
            may be changed there later. Passwords belong in the owner's ~/.pgpass; libpq's PG* variables are not \
            used.

            Snapshots and clones share their blocks on btrfs and on xfs with reflinks. Elsewhere each is a whole \
            copy, unless --pool-size makes a btrfs filesystem in an image file, $PGARCHIVE_HOME/pools/NAME.img.

            --from-directory takes a copy of the data directory instead of a base backup: stop the server, copy the \
            directory (with cp -a, or a snapshot of its disk), start the server again, and run init soon: the \
            upstream must still have the WAL since then.

            EXAMPLES
              pgarchive container init --container prod --upstream 'host=db1 user=postgres'
              pgarchive container init --container prod --upstream host=db1 --pool-size 50G

            EXIT CODES
              2  wrong option
              3  login refused
              4  something is missing upstream; nothing was changed
              7  it exists already
              8  the upstream cannot be reached

            SEE ALSO
              container status, container init-cron, snapshot create, container purge
            """
    )

    @OptionGroup(title: "Upstream") var upstream: UpstreamOptions

    @Option(
        help: ArgumentHelp(
            "Make a btrfs filesystem in an image file that may grow to this size, e.g. 50G, and mount it; needs root.",
            valueName: "size"
        )
    )
    var poolSize: String?

    @Option(
        help: ArgumentHelp("How snapshots and clones are copied. (default: the best that works there)")
    )
    var driver: StorageDriverKind?

    @Option(
        help: ArgumentHelp(
            "The upstream's checkpoint before the copy: spread may take minutes, fast writes all at once.",
            valueName: "kind"
        )
    )
    var checkpoint: BaseBackupTool.Checkpoint = .spread

    @Option(
        help: ArgumentHelp(
            "Begin with this copy of the upstream's data directory, made while it was shut down; no base backup.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var fromDirectory: String?

    @OptionGroup var tablespaces: TablespaceOptions

    @Option(
        help: ArgumentHelp(
            "The system user that everything runs as. (default: postgres when run as root, otherwise you)",
            valueName: "user"
        )
    )
    var owner: String?

    /// The part of an init that root leaves to the owner.
    @Flag(help: .hidden)
    var ownersPart = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let poolSize {
            guard let bytes = ByteSize.parse(poolSize) else {
                throw ValidationError("'\(poolSize)' is not a size; one looks like 20G")
            }
            guard bytes >= LoopPool.minimumBytes else {
                throw ValidationError("--pool-size is at least \(LoopPool.minimumBytes >> 20)M: btrfs needs that much")
            }
        }
        if fromDirectory == nil, !tablespaces.tablespaces.isEmpty {
            throw ValidationError("--tablespace goes with --from-directory")
        }
        if poolSize != nil, let driver, driver != .btrfs {
            throw ValidationError("a pool is btrfs: leave --driver out")
        }
    }

    func run() throws {
        guard let selector = global.selector else {
            throw ArchiveError(
                .usage,
                "which container is to be made?",
                hint: "name it: --container prod, or PGARCHIVE=/path/to/container"
            )
        }
        let locator = global.locator
        let root = try locator.root(of: selector)
        let name = FilePath.name(of: root)
        try Name.checkContainer(name)
        let link = ContainerLink(locator: locator, root: root)
        if SystemUser.isRoot {
            try runAsRoot(locator, name: name, root: root)
        } else {
            if poolSize != nil {
                throw ArchiveError(
                    .refused,
                    "a pool can only be made and mounted by root",
                    hint: "run it as root; or leave --pool-size out"
                )
            }
            try make(root: root, name: name)
        }
        if !ownersPart, let reason = link.make() {
            render.remark("not linked in \(locator.home) (\(reason)): name it with --container \(root)")
        }
    }

    private var render: Render { global.render }

    /// Root makes the place or the pool; all else happens in a second process as the owner.
    private func runAsRoot(_ locator: ContainerLocator, name: String, root: String) throws {
        let setup = try PrivilegedSetup(
            locator: locator,
            owner: owner ?? "postgres",
            arguments: childArguments(root),
            environment: Handover.environment.merging(upstream.environment) { $1 }
        )
        let code: Int32
        if let bytes = poolSize.flatMap({ ByteSize.parse($0) }) {
            guard root == FilePath.join(locator.home, name) else {
                throw ArchiveError(
                    .usage,
                    "a pool is mounted in \(locator.home)",
                    hint: "name the container without a slash, or set PGARCHIVE_HOME"
                )
            }
            code = try setup.initWithPool(name: name, bytes: bytes, childFlag: "--owners-part") { render.remark($0) }
        } else {
            code = try setup.initInDirectory(root: root, childFlag: "--owners-part")
        }
        if code != 0 { throw ExitCode(code) }
    }

    private func childArguments(_ root: String) -> [String] {
        var arguments = ["container", "init", "--container", root, "--checkpoint", checkpoint.rawValue]
        if let driver { arguments += ["--driver", driver.rawValue] }
        if let fromDirectory { arguments += ["--from-directory", FileTree.absolute(fromDirectory)] }
        for text in tablespaces.tablespaces { arguments += ["--tablespace", text] }
        arguments += ["--output", global.output.rawValue]
        if global.quiet { arguments.append("--quiet") }
        if global.verbose { arguments.append("--verbose") }
        return arguments
    }

    private func make(root: String, name: String) throws {
        let account = try SystemUser.current().name
        try Privileges.become(owner: owner ?? account)
        let interruption = try Interruption()
        let container = try global.withProgress { progress in
            try ContainerInit(
                ContainerInit.Options(
                    root: root,
                    name: name,
                    upstream: upstream.sql,
                    upstreamReplication: upstream.replication,
                    slot: upstream.slotName,
                    driver: driver,
                    owner: account,
                    checkpoint: checkpoint,
                    coldCopy: try fromDirectory.map {
                        ColdCopy(directory: $0, tablespaces: try tablespaces.mapping())
                    }
                ),
                progress: progress,
                interruption: interruption
            ).run()
        }
        ContainerInitCronCommand.offer(container, render)
        try render.done(
            container.identity,
            "container '\(name)' is running in \(root) (driver \(container.identity.driver.rawValue)); "
                + "'pgarchive container status' shows it"
        )
    }
}

extension StorageDriverKind: ExpressibleByArgument {}
extension BaseBackupTool.Checkpoint: ExpressibleByArgument {}
