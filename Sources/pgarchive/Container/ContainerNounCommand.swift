import ArgumentParser

struct ContainerNounCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "The whole archive of one upstream: its directory and its processes.",
        discussion: """
            A container is the archive of one upstream: a directory with WAL archive, standby, snapshots, clones, \
            logs, and settings (pgarchive.toml). It belongs to one system user, its owner, usually postgres. \
            Commands work as the owner, and as root, which becomes the owner; root is needed only to make, mount and \
            remove a pool ('container init --pool-size').

            'system' is another word for 'container'.
            """,
        subcommands: [
            ContainerInitCommand.self, ContainerListCommand.self, ContainerStatusCommand.self,
            ContainerDashboardCommand.self, ContainerStartCommand.self, ContainerStopCommand.self,
            ContainerRunCommand.self, ContainerInitCronCommand.self, ContainerPurgeCommand.self,
        ],
        aliases: ["system"]
    )
}
