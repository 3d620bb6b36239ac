import ArgumentParser

struct ContainerNounCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "Make, start, stop, watch and remove whole containers.",
        discussion: """
            A container is one upstream's archive: a directory with its WAL archive, standby, snapshots, clones, logs \
            and settings (pgarchive.toml). 'system' is the same word. Run as root, each command works as the \
            container's owner; root itself is only needed to mount pools.
            """,
        subcommands: [
            ContainerInitCommand.self, ContainerPurgeCommand.self, ContainerStartCommand.self,
            ContainerStopCommand.self, ContainerStatusCommand.self, ContainerDashboardCommand.self,
            ContainerInitCronCommand.self, ContainerListCommand.self, ContainerRunCommand.self,
        ],
        aliases: ["system"]
    )
}
