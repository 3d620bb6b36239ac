package import WALFormat

/// How far WAL has come: each station's position, none beyond the one before it.
///
/// `upstream ≥ received ≥ durable ≥ replayed ≥ snapshot`. Status, checks and tests read this one value.
package struct Waterline: Codable, Hashable, Sendable {
    package struct Station: Codable, Hashable, Sendable {
        package var name: String
        package var position: LSN?
        package var timeline: TimelineID?
        /// The newest moment known to be included.
        package var time: PostgresTime?
        /// Bytes behind the upstream's end; nil while either is unknown.
        package var lagBytes: UInt64?
        /// Why it stands still; nil while it moves or has nothing to do.
        package var reason: String?

        package init(
            name: String,
            position: LSN?,
            timeline: TimelineID? = nil,
            time: PostgresTime? = nil,
            reason: String? = nil
        ) {
            self.name = name
            self.position = position
            self.timeline = timeline
            self.time = time
            self.lagBytes = nil
            self.reason = reason
        }
    }

    /// In the order in which WAL flows.
    package private(set) var stations: [Station]

    package init(upstream: Station, received: Station, durable: Station, replayed: Station, snapshot: Station) {
        var stations = [upstream, received, durable, replayed, snapshot]
        // What is here says nothing of how far an upstream is that has not been heard.
        let end = upstream.position == nil ? nil : stations.compactMap(\.position).max()
        for index in stations.indices {
            if let position = stations[index].position, let end {
                stations[index].lagBytes = end.bytes(since: position)
            }
        }
        self.stations = stations
    }

    /// Pairs of neighbours where a station claims to be ahead of the one that feeds it; empty when all is well.
    package var violations: [String] {
        let known = stations.filter { $0.position != nil }
        return zip(known, known.dropFirst()).compactMap { feeder, station in
            guard let before = feeder.position, let after = station.position, after > before else { return nil }
            return "\(station.name) \(after) is ahead of \(feeder.name) \(before)"
        }
    }
}
