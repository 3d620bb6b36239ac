package import WALFormat

/// The facts that expiry is decided by.
package struct RetentionInventory: Sendable {
    /// A copy of a snapshot: a clone, or a restored cluster.
    package struct Clone: Sendable {
        /// As users know it: "clone 'look'".
        package var name: String
        package var snapshot: String
        package var redo: LSN
        /// Until it has recovered, a clone needs WAL from its redo on.
        package var needsWAL: Bool

        package init(name: String, snapshot: String, redo: LSN, needsWAL: Bool) {
            self.name = name
            self.snapshot = snapshot
            self.redo = redo
            self.needsWAL = needsWAL
        }
    }

    package var snapshots: [SnapshotRecord]
    package var clones: [Clone]
    /// The standby's redo; nil where it cannot be read, and then no WAL is removed.
    package var standbyRedo: LSN?
    package var segments: [SegmentName]
    package var segmentSize: SegmentSize
    /// Segments that a copy has still to take, and its name.
    package var uncopied: [SegmentName: String]

    package init(
        snapshots: [SnapshotRecord],
        clones: [Clone],
        standbyRedo: LSN?,
        segments: [SegmentName],
        segmentSize: SegmentSize,
        uncopied: [SegmentName: String] = [:]
    ) {
        self.snapshots = snapshots
        self.clones = clones
        self.standbyRedo = standbyRedo
        self.segments = segments
        self.segmentSize = segmentSize
        self.uncopied = uncopied
    }
}

/// What expiry will remove, in order, and why the rest stays.
///
/// Pure: the same facts give the same plan.
package struct RetentionPlan: Sendable {
    package struct Kept: Sendable, Hashable {
        package let snapshot: String
        package let reason: String
    }

    /// Oldest first; a plan stopped after any step leaves every listed snapshot usable.
    package let snapshotsToDelete: [SnapshotRecord]
    package let kept: [Kept]
    /// WAL below this position is needed by nothing; nil when nothing may be removed.
    package let walFloor: LSN?
    package let segmentsToRemove: [SegmentName]
    /// How many segments only wait for a copy, by the copy's name.
    package let waitingForCopies: [String: Int]

    /// - Parameter expire: every moment from here on stays reachable.
    package init(inventory: RetentionInventory, expire: PostgresTime, minimum: Int) {
        let oldestFirst = inventory.snapshots.sorted { ($0.createdAt, $0.name) < ($1.createdAt, $1.name) }
        let inUse = Dictionary(
            inventory.clones.filter(\.needsWAL).map { ($0.snapshot, $0.name) },
            uniquingKeysWith: { first, _ in first }
        )
        let usable = oldestFirst.filter(\.live)
        let protected = Set(usable.suffix(max(1, minimum)).map(\.name))
        let anchor = usable.last { $0.firstMoment < expire }?.name

        var deleted: [SnapshotRecord] = []
        var kept: [Kept] = []
        for snapshot in oldestFirst {
            if snapshot.firstMoment >= expire {
                kept.append(Kept(snapshot: snapshot.name, reason: "not older than the expiry date"))
            } else if let clone = inUse[snapshot.name] {
                kept.append(Kept(snapshot: snapshot.name, reason: "\(clone) has not recovered from it yet"))
            } else if snapshot.name == anchor {
                kept.append(
                    Kept(snapshot: snapshot.name, reason: "the moments after the expiry date are reached from it")
                )
            } else if protected.contains(snapshot.name) {
                kept.append(
                    Kept(snapshot: snapshot.name, reason: "one of the \(max(1, minimum)) newest, which always stay")
                )
            } else {
                deleted.append(snapshot)
            }
        }
        self.snapshotsToDelete = deleted
        self.kept = kept

        let gone = Set(deleted.map(\.name))
        let needed =
            oldestFirst.filter { !gone.contains($0.name) }.map(\.redo)
            + inventory.clones.filter(\.needsWAL).map(\.redo)
            + [inventory.standbyRedo].compactMap { $0 }
        guard inventory.standbyRedo != nil, let lowest = needed.min() else {
            self.walFloor = nil
            self.segmentsToRemove = []
            self.waitingForCopies = [:]
            return
        }
        let size = inventory.segmentSize
        let floor = size.segmentStart(of: lowest)
        self.walFloor = floor
        let unneeded = inventory.segments
            .filter { name in name.start(size: size).map { $0 < floor } ?? false }
            .sorted { $0.description < $1.description }
        self.segmentsToRemove = unneeded.filter { inventory.uncopied[$0] == nil }
        self.waitingForCopies = unneeded.compactMap { inventory.uncopied[$0] }
            .reduce(into: [:]) { counts, name in counts[name, default: 0] += 1 }
    }
}

extension SnapshotRecord {
    /// From when on moments are surely reached from it, by this host's clock and by the upstream's: that of its end,
    /// where its copy took long, and no earlier than its beginning, as nothing may have been committed for days.
    fileprivate var firstMoment: PostgresTime { max(createdAt, earliestTarget) }
}
