package import WALFormat

/// A command of the replication protocol, as majors 15 to 18 understand it.
package enum ReplicationCommand: Equatable, Sendable {
    case identifySystem
    case showSegmentSize
    case showDirectoryMode
    case readSlot(SlotName)
    /// A physical slot that keeps WAL from its creation on, not only from the first reply.
    case createSlot(SlotName)
    case dropSlot(SlotName)
    /// Waits until nobody uses it any more.
    case dropSlotWhenFree(SlotName)
    case timelineHistory(TimelineID)
    case startReplication(slot: SlotName?, position: LSN, timeline: TimelineID)

    package var text: String {
        switch self {
        case .identifySystem: "IDENTIFY_SYSTEM"
        case .showSegmentSize: "SHOW wal_segment_size"
        case .showDirectoryMode: "SHOW data_directory_mode"
        case .readSlot(let name): "READ_REPLICATION_SLOT \"\(name)\""
        case .createSlot(let name): "CREATE_REPLICATION_SLOT \"\(name)\" PHYSICAL (RESERVE_WAL)"
        case .dropSlot(let name): "DROP_REPLICATION_SLOT \"\(name)\""
        case .dropSlotWhenFree(let name): "DROP_REPLICATION_SLOT \"\(name)\" WAIT"
        case .timelineHistory(let timeline): "TIMELINE_HISTORY \(timeline)"
        case .startReplication(let slot, let position, let timeline):
            "START_REPLICATION \(slot.map { "SLOT \"\($0)\" " } ?? "")PHYSICAL \(position) TIMELINE \(timeline)"
        }
    }
}
