import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// The mark of an init that has not ended (`initialising.json`): all that is needed to take it back.
struct InitMark: Codable, Hashable, Sendable {
    let slot: String
    /// The replication connection by which the slot is made, and dropped.
    let upstream: String
    /// Where the upstream's WAL ended when the slot was about to be asked for; nil before that.
    var askedAt: LSN?
    var isMade = false

    init(slot: String, upstream: String) {
        self.slot = slot
        self.upstream = upstream
    }

    static func read(_ paths: ContainerPaths) throws -> InitMark? {
        try JSONFile.read(InitMark.self, from: paths.initMark)
    }

    /// What is half made does not run.
    static func requireNone(_ paths: ContainerPaths) throws {
        guard FileTree.exists(paths.initMark) else { return }
        throw ArchiveError(
            .conflict,
            "the init of '\(paths.root)' has not ended: it was killed, or is at work",
            hint: "run init again, which begins anew; or 'pgarchive container purge' it"
        )
    }

    func write(_ paths: ContainerPaths) throws {
        try JSONFile.replace(paths.initMark, with: self)
    }

    /// Why the upstream's slot of this name is this init's; nil when it cannot be.
    var claim: UpstreamSlots.Claim? {
        guard let askedAt else { return nil }
        return isMade ? .made : .asked(at: askedAt)
    }

    /// What a user must know when this init could not be taken back.
    var slotRemark: String? {
        guard claim != nil else { return nil }
        return "the slot '\(slot)' may still be on the upstream; without pgarchive: "
            + "SELECT pg_drop_replication_slot('\(slot)');"
    }
}
