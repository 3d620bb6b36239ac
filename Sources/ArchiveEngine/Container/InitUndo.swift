import ArchiveModel
import Platform
import PostgresLink

/// Takes back what an init did, as far as it came: processes, slot, files.
struct InitUndo {
    let paths: ContainerPaths
    let replication: ConnectionString
    let slot: SlotName
    let dropsSlot: Bool

    func run() throws {
        if let container = try? Container.open(paths.root) {
            _ = try? ControlClient(container).send(ControlRequest(.shutdown, mode: "immediate"))
            try StandbyPart(container: container).stop(mode: "immediate")
            try ReceiverPart(container: container).stop(mode: nil)
            if FileTree.exists(paths.standby) { try container.driver.deleteVolume(paths.standby) }
        }
        if dropsSlot {
            try UpstreamSlots.drop(replication, slot)
        }
        try ContainerDirectory.remove(paths.root)
    }

    func runQuietly(_ progress: Progress) {
        do {
            try run()
        } catch {
            progress.note("could not undo everything: \(error); 'pgarchive container purge' can be tried again")
        }
    }
}
