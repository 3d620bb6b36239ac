import ArchiveModel
import ArchiveTesting
import Testing
import WALFormat

/// The search against a model that tries everything, over thousands of archives.
@Suite("Which snapshot, and where recovery ends")
struct TargetSearchTests {
    /// What PostgreSQL would do from one snapshot, told as plainly as it can be: an end, or none.
    private static func stop(_ target: Target, _ snapshot: SnapshotRecord, _ records: [RandomArchive.Record]) -> LSN? {
        guard let first = records.firstIndex(where: { $0.record.start == snapshot.redo }) else { return nil }
        var stop = snapshot.redo
        var quiet = snapshot.redo
        var removesFiles = false
        var isSettled = false
        scan: for item in records[first...] {
            if item.isMissing { break }
            let event = item.event
            var isLast = false
            var leavesOutFiles = true
            switch target {
            case .time(let time, let inclusive):
                if let end = event?.ended { isSettled = inclusive ? end.time > time : end.time >= time }
            case .lsn(let position, let inclusive):
                leavesOutFiles = false
                if item.record.start >= position { inclusive ? (isLast = true) : (isSettled = true) }
            case .before(let position):
                isSettled = item.record.end > position
                if isSettled, case .databaseDrop? = event { removesFiles = true }
            case .transaction(let id, let inclusive):
                if event?.ended?.transactionID == id { inclusive ? (isLast = true) : (isSettled = true) }
            case .restorePoint(let name):
                if case .restorePoint(name, _)? = event { isLast = true }
            case .latest, .snapshotItself: break
            }
            if isSettled {
                if leavesOutFiles, removesFiles { stop = quiet }
                break scan
            }
            stop = item.record.end
            if case .databaseDrop? = event { removesFiles = true }
            if quiet < snapshot.consistent || event?.ended != nil {
                quiet = stop
                removesFiles = false
            }
            if isLast {
                isSettled = true
                break scan
            }
        }
        if !isSettled {
            let isWhole = !records[first...].contains { $0.isMissing }
            switch target {
            case .latest where isWhole: break
            case .lsn(let position, _) where stop >= position: break
            case .before(let position) where stop >= position: break
            default: return nil
            }
        }
        return stop >= snapshot.consistent ? stop : nil
    }

    /// Whether what it holds from before its redo can belong to the target.
    private static func mayServe(_ snapshot: SnapshotRecord, _ target: Target) -> Bool {
        switch target {
        case .time(let time, let inclusive):
            inclusive ? snapshot.earliestTime <= time : snapshot.earliestTime < time
        case .lsn(let position, _), .before(let position): snapshot.redo <= position
        default: true
        }
    }

    @Test(arguments: 0..<8)
    func againstTheModel(_ part: Int) throws {
        var found = 0
        var refused = 0
        for number in 0..<500 {
            let seed = UInt64(part * 1000 + number)
            var archive = RandomArchive(seed: seed)
            for (path, records) in archive.paths {
                for _ in 0..<8 {
                    let target = archive.target(in: records)
                    if try check(target, archive, path, records, seed) { found += 1 } else { refused += 1 }
                }
            }
        }
        #expect(found > 1000 && refused > 500, "\(found) found, \(refused) refused")
    }

    /// - Returns: whether the target was found.
    private func check(
        _ target: Target,
        _ archive: RandomArchive,
        _ path: TimelinePath,
        _ records: [RandomArchive.Record],
        _ seed: UInt64
    ) throws -> Bool {
        let what: Comment = "seed \(seed), \(target), \(path)"
        let usable = archive.snapshots.filter { snapshot in
            path.contains(snapshot.timeline)
                && path.timeline(at: LSN(snapshot.consistent.rawValue - 1)) == snapshot.timeline
        }
        let search = TargetSearch(target, along: path, snapshots: archive.snapshots)
        let reading = RandomArchive.reading(records, path)
        let best = usable.filter { Self.mayServe($0, target) && Self.stop(target, $0, records) != nil }
            .max { ($0.redo, $0.createdAt) < ($1.redo, $1.createdAt) }
        do {
            let found = try search.find(reading: reading)
            #expect(found.rule.stop == Self.stop(target, found.snapshot, records), what)
            #expect(found.snapshot.name == best?.name, what)
            try passing(target, archive, path, records, found, what)
            return true
        } catch let refusal as TargetRefusal {
            // With a clock that steps, an older snapshot may see a later time earlier: not offered, as it is another
            // moment than the one that was meant.
            if archive.isMonotonic { #expect(best == nil, what) }
            try nearest(refusal, target, archive, path, records, what)
            return false
        }
    }

    /// What is offered instead is reached, and for a position nothing nearer is.
    private func nearest(
        _ refusal: TargetRefusal,
        _ target: Target,
        _ archive: RandomArchive,
        _ path: TimelinePath,
        _ records: [RandomArchive.Record],
        _ what: Comment
    ) throws {
        let offered: [Reachable]
        if case .transaction = target {
            offered = []
        } else {
            offered = [refusal.before, refusal.after].compactMap(\.self)
        }
        for reachable in offered {
            let search = TargetSearch(
                .lsn(reachable.position, inclusive: false),
                along: path,
                snapshots: archive.snapshots
            )
            let found = try search.find(reading: RandomArchive.reading(records, path))
            #expect(found.rule.stop == reachable.position, what)
        }
        guard case .lsn(let position, inclusive: false) = target else { return }
        let reachable = records.map(\.record.end).filter { end in
            archive.snapshots.contains { snapshot in
                path.timeline(at: LSN(snapshot.consistent.rawValue - 1)) == snapshot.timeline && snapshot.redo <= end
                    && Self.stop(.lsn(end, inclusive: false), snapshot, records) == end
            }
        }
        #expect(refusal.before?.position == reachable.last { $0 < position }, what)
        #expect(refusal.after?.position == reachable.first { $0 > position }, what)
    }

    /// An index that lets any part of the way be passed over changes nothing.
    private func passing(
        _ target: Target,
        _ archive: RandomArchive,
        _ path: TimelinePath,
        _ records: [RandomArchive.Record],
        _ found: TargetSearch.Found,
        _ what: Comment
    ) throws {
        let way = records.filter { $0.record.start >= found.snapshot.redo && $0.record.end <= found.rule.stop }
        guard way.count > 2 else { return }
        for count in [1, way.count / 2, way.count - 1] {
            guard let passed = Self.passed(Array(way.prefix(count))) else { continue }
            let search = TargetSearch(target, along: path, snapshots: [found.snapshot])
            let again = try search.find(
                passOver: { _, _, _ in passed },
                reading: RandomArchive.reading(records, path)
            )
            #expect(again.rule.stop == found.rule.stop, what)
            #expect(again.rule.lastCommit == found.rule.lastCommit, what)
            #expect(again.rule.clockSteppedBack == found.rule.clockSteppedBack, what)
            #expect(again.readFrom == passed.end, what)
        }
    }

    @Test("of a name that is not there, what is near is told all the same where an index passes over everything")
    func nearNames() throws {
        for seed in 3...12 as ClosedRange<UInt64> { try nearNames(RandomArchive(seed: seed)) }
    }

    private func nearNames(_ archive: RandomArchive) throws {
        let (path, all) = archive.paths[0]
        let records = Array(all.prefix { !$0.isMissing })
        guard let last = records.last?.record else { return }
        for target in [Target.transaction(1_000_000), .restorePoint("none")] {
            let search = TargetSearch(target, along: path, snapshots: archive.snapshots)
            let reading = RandomArchive.reading(records, path)
            let plain = #expect(throws: TargetRefusal.self) { _ = try search.find(reading: reading) }
            let passOver: TargetSearch.PassOver = { _, redo, _ in
                Self.passed(records.filter { $0.record.start >= redo })
            }
            let indexed = #expect(throws: TargetRefusal.self) {
                _ = try search.find(passOver: passOver, reading: reading)
            }
            #expect(plain == indexed)
            let near: TargetSearch.Near = { _, redo, _ in
                if case .transaction = target { return NearWAL(parts: [redo..<last.end]) }
                let points = records.filter { $0.record.start >= redo }.compactMap {
                    item -> TargetSightings.RestorePoint? in
                    guard case .restorePoint(let name, let time)? = item.event else { return nil }
                    return TargetSightings.RestorePoint(name: name, time: time, end: item.record.end)
                }
                return NearWAL(restorePoints: points)
            }
            let told = #expect(throws: TargetRefusal.self) {
                _ = try search.find(passOver: passOver, near: near, reading: reading)
            }
            #expect(plain?.reason == told?.reason)
            // What was passed over may show a later state than what was read.
            #expect(plain?.before?.position ?? .invalid <= told?.before?.position ?? .invalid)
        }
    }

    private static func passed(_ way: [RandomArchive.Record]) -> PassedWAL? {
        guard let last = way.last, let ending = way.lastIndex(where: { $0.event?.ended != nil }) else { return nil }
        let dropsLater = way[ending...].contains { item in
            if case .databaseDrop? = item.event { true } else { false }
        }
        guard !dropsLater else { return nil }
        var rule = StopRule(target: .latest, start: last.record.start)
        for item in way { _ = rule.visit(item.record, event: item.event) }
        return PassedWAL(
            end: last.record.end,
            lastEnding: way[ending].record.end,
            lastCommit: rule.lastCommit,
            newestTime: rule.newestTime,
            clockSteppedBack: rule.clockSteppedBack,
            parameters: nil
        )
    }
}
