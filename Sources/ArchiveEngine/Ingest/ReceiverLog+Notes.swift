import ArchiveModel
import PostgresLink

extension ReceiverLog {
    /// What the machine has noticed.
    func say(_ note: ReplicationNote, slot: SlotName?) {
        switch note {
        case .connected(let identity, let version):
            forget()
            detail(
                "connected to PostgreSQL \(version / 10000).\(version % 10000), system identifier "
                    + "\(identity.systemIdentifier), timeline \(identity.timeline), WAL up to \(identity.flushed)"
            )
        case .streaming(let start):
            let slot = slot.map { ", slot \"\($0)\"" } ?? ""
            detail("streaming from \(start.position) on timeline \(start.timeline)\(slot)")
        case .groupAccess:
            break
        case .timelineEnded(let timeline, let end, let next):
            detail("the upstream left timeline \(timeline) at \(end) for timeline \(next)")
        case .forked(let start, let ours):
            write(
                "the upstream's history leaves ours before our end \(ours): going on from \(start.position) on "
                    + "timeline \(start.timeline); what is here beyond the fork is kept"
            )
        case .slotCreated(let name):
            write("the upstream had no usable replication slot \"\(name)\": created")
        case .slotInvalid(let name, let message):
            write("the replication slot \"\(name)\" cannot be used any more: \(message)")
        case .historyMissing(let timeline, let message):
            write("the upstream does not give the history of timeline \(timeline): \(message)")
        }
    }
}
