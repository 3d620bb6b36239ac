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

    static let intervalMilliseconds: Int32 = 5_000

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

    func end() { ending?.signal() }

    /// Counts anew whenever the set of snapshots has changed, until told to end.
    func keepCounting() {
        var counted: [String] = []
        while let ending {
            let names = (try? SnapshotCatalog(container).all().map(\.name)) ?? []
            if names != counted {
                count(names)
                counted = names
            }
            let isEnding = try? Poll.wait(for: ending.raw, timeoutMilliseconds: Self.intervalMilliseconds)
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
