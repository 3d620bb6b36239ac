package import WALFormat

/// Which images are made, and which go.
///
/// Pure: the newest usable snapshots have one, and those for which it was asked.
package struct ReadyPlan: Hashable, Sendable {
    /// Newest first.
    package let make: [String]
    package let remove: [String]

    /// - Parameters:
    ///   - count: how many snapshots have one without being asked for.
    ///   - settled: one that is younger than this is left alone: its taker may be about to use it.
    package init(snapshots: [SnapshotRecord], images: [String: ReadyImage], count: Int, settled: PostgresTime) {
        let newestFirst = snapshots.filter(\.live).sorted { ($0.createdAt, $0.name) > ($1.createdAt, $1.name) }
        let wanted = newestFirst.prefix(max(0, count))
        make = wanted.filter { images[$0.name] == nil && $0.createdAt <= settled }.map(\.name)
        // The last stays until the next is there.
        let isServed = count == 0 || wanted.contains { images[$0.name] != nil }
        let kept = Set(wanted.map(\.name))
        remove =
            isServed
            ? images.filter { !kept.contains($0.key) && !$0.value.isAskedFor }.map(\.key).sorted() : []
    }
}
