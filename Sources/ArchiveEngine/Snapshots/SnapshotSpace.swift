import ArchiveModel
import Foundation
import Platform
package import WALFormat

/// The space that only one snapshot holds, counted in the background, since counting reads every extent.
package final class SnapshotSpace: Sendable {
    package struct Count: Codable, Hashable, Sendable {
        package var bytes: UInt64
        package var countedAt: PostgresTime
    }

    /// How often is looked whether to count, and how old a count becomes before the standby's writing makes another.
    package struct Pace: Sendable {
        package var lookMilliseconds: Int32 = 5_000
        package var recountSeconds: Double = 300

        package init() {}
    }

    private let container: Container
    private let ending: EventDescriptor?

    package init(_ container: Container) {
        self.container = container
        self.ending = try? EventDescriptor()
    }

    /// What was counted last, by snapshot.
    package static func read(_ container: Container) -> [String: Count] {
        ((try? JSONFile.read([String: Count].self, from: container.paths.snapshotSpace)) ?? nil) ?? [:]
    }

    package func end() { ending?.signal() }

    /// Counts anew, until told to end: soon when the set of snapshots has changed, and after a while when the standby
    /// has written, since each block that it overwrites is then held by snapshots alone.
    package func keepCounting(_ pace: Pace = Pace()) {
        var counting = SpaceCounting()
        while let ending {
            let names = (try? SnapshotCatalog(container).all().map(\.name)) ?? []
            // PostgreSQL writes here, how far it has replayed, before it writes the blocks.
            let control = try? FileTree.read(container.paths.standbyTree.controlFile, limit: 8192)
            let now = SystemClock.monotonicSeconds()
            if counting.isDue(names: names, control: control, now: now) {
                count(names)
                counting.ended(
                    names: names,
                    control: control,
                    began: now,
                    now: SystemClock.monotonicSeconds(),
                    recountSeconds: pace.recountSeconds
                )
            }
            let isEnding = try? Poll.wait(for: ending.raw, timeoutMilliseconds: pace.lookMilliseconds)
            if isEnding ?? true { return }
        }
    }

    /// Counts now; a snapshot that vanishes meanwhile is left out.
    package func count(_ names: [String]) {
        var counts: [String: Count] = [:]
        for name in names {
            guard let bytes = try? container.driver.exclusiveBytes(container.paths.snapshot(name).root) else {
                continue
            }
            counts[name] = Count(bytes: bytes, countedAt: PostgresTime(unixMicroseconds: SystemClock.now()))
        }
        try? JSONFile.replace(container.paths.snapshotSpace, with: counts)
    }
}

/// Of what the last count was made, and when the next may be.
package struct SpaceCounting: Sendable {
    /// Counting again takes at most one part in so many of the time.
    private static let leisure = 20.0

    private var names: [String] = []
    private var control: [UInt8]? = []
    private var nextSeconds = 0.0

    package init() {}

    /// - Parameters:
    ///   - control: the standby's pg_control, which changes whenever it writes blocks.
    ///   - now: by a clock that only goes on.
    package func isDue(names: [String], control: [UInt8]?, now: Double) -> Bool {
        names != self.names || (now >= nextSeconds && control != self.control)
    }

    package mutating func ended(
        names: [String],
        control: [UInt8]?,
        began: Double,
        now: Double,
        recountSeconds: Double
    ) {
        self.names = names
        self.control = control
        nextSeconds = now + max(recountSeconds, (now - began) * Self.leisure)
    }
}
