package import WALFormat

/// How far WAL has come: each station's position, none beyond the one before it.
///
/// `upstream ≥ received ≥ durable ≥ {indexed, replayed}` and `replayed ≥ snapshot`. Status, checks and tests read this
/// one value.
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

    package init(
        upstream: Station,
        received: Station,
        durable: Station,
        indexed: Station,
        replayed: Station,
        snapshot: Station
    ) {
        var stations = [upstream, received, durable, indexed, replayed, snapshot]
        // What is here says nothing of how far an upstream is that has not been heard.
        let end = upstream.position == nil ? nil : stations.compactMap(\.position).max()
        for index in stations.indices {
            if let position = stations[index].position, let end {
                stations[index].lagBytes = end.bytes(since: position)
            }
        }
        self.stations = stations
    }

    /// Where a station claims to be ahead of the one that feeds it; empty when all is well.
    package var violations: [String] {
        var known: [String: Station] = [:]
        return stations.compactMap { station in
            guard let position = station.position else { return nil }
            known[station.name] = station
            // One that is not known stands for nothing: the one before it feeds.
            var feeder = Self.feeders[station.name]
            while let name = feeder, known[name] == nil { feeder = Self.feeders[name] }
            guard let before = feeder.flatMap({ known[$0] }), let limit = before.position, position > limit else {
                return nil
            }
            return "\(station.name) \(position) is ahead of \(before.name) \(limit)"
        }
    }

    private static let feeders = [
        "received": "upstream", "durable": "received", "indexed": "durable", "replayed": "durable",
        "snapshot": "replayed",
    ]
}
