import ArchiveModel
import Platform

/// The space that only one clone holds, counted in the background, since counting reads every extent.
package final class CloneSpace: Sendable {
    private let container: Container
    private let rounds: Rounds

    private static let recountSeconds = 60.0

    init(_ container: Container, log: SupervisorLog) throws {
        self.container = container
        self.rounds = try Rounds(everyMilliseconds: 5000, log: log)
    }

    /// What was counted last, by clone.
    package static func read(_ container: Container) -> [String: SnapshotSpace.Count] {
        ((try? JSONFile.read([String: SnapshotSpace.Count].self, from: container.paths.cloneSpace)) ?? nil) ?? [:]
    }

    func end() { rounds.end() }

    func run() {
        var counting = SpaceCounting()
        rounds.run {
            guard let clones = try? CloneCatalog(container).listed().filter({ !$0.isLook }) else { return [] }
            count(clones.map(\.name), &counting)
            return []
        }
    }

    /// Counts anew when there is a reason to, and counting has not just taken long.
    private func count(_ names: [String], _ counting: inout SpaceCounting) {
        let written = names.flatMap { name in
            let tree = container.paths.clone(name).tree
            // A clone that writes changes its pg_control at its checkpoints, and its WAL's directory in between.
            return [tree.controlFile, tree.writeAheadLog].map { path in
                UInt64(bitPattern: (try? FileTree.status(path).modified) ?? 0)
            }
        }
        let mark = written.flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } }
        let now = SystemClock.monotonicSeconds()
        guard counting.isDue(names: names, control: mark, now: now) else { return }
        var counts: [String: SnapshotSpace.Count] = [:]
        for name in names {
            if rounds.isEnding { return }
            guard let bytes = try? container.driver.exclusiveBytes(container.paths.clone(name).root) else { continue }
            counts[name] = SnapshotSpace.Count(bytes: bytes, countedAt: .current)
        }
        try? JSONFile.replace(container.paths.cloneSpace, with: counts)
        counting.ended(
            names: names,
            control: mark,
            began: now,
            now: SystemClock.monotonicSeconds(),
            recountSeconds: Self.recountSeconds
        )
    }
}
