package import WALFormat

/// What breaks in the chain cost: pure.
extension ChainPlan {
    /// - Parameters:
    ///   - breaks: all that is broken, of names or of content.
    ///   - ends: how far each timeline can be read, where that was looked at.
    package func findings(_ breaks: [ChainBreak], ends: [TimelineID: LSN] = [:]) -> [Finding] {
        let ways = tips.map { Way($0, breaks, end: max($0.end, ends[$0.timeline] ?? .invalid)) }
        let ofSegments = breaks.map { finding($0, ways) }
        let ofSnapshots = facts.damagedSnapshots.sorted { $0.key < $1.key }.map { name, problem in
            Finding(
                kind: .snapshotUnreadable,
                file: name,
                segments: 0,
                what: "the record of snapshot '\(name)' cannot be read: \(problem)",
                costs: [],
                lostSnapshots: [name],
                stuck: [],
                advice: "'pgarchive snapshot delete \(name)' removes it; until then no WAL expires"
            )
        }
        return ofSegments + ofSnapshots
    }

    private func finding(_ chainBreak: ChainBreak, _ ways: [Way]) -> Finding {
        let name = { SegmentName(timeline: chainBreak.timeline, number: $0, size: facts.segmentSize).description }
        let concerned = ways.filter { $0.breaks.contains(chainBreak) }
        var costs: [Finding.Cost] = []
        for way in concerned {
            guard let cost = way.cost(of: chainBreak) else { continue }
            if let same = costs.firstIndex(where: { $0.from == cost.from && $0.to == cost.to && $0.to != nil }) {
                costs[same].timelines += cost.timelines
            } else {
                costs.append(cost)
            }
        }
        let lost = concerned.flatMap { way in way.tip.roots.filter { chainBreak.cuts($0) } }
        let lostSnapshots = Set(lost.filter { $0.kind == .snapshot }.map(\.name)).sorted()
        let isOfHistory = [.historyMissing, .historyDamaged, .historyConflict].contains(chainBreak.kind)
        return Finding(
            kind: chainBreak.kind,
            file: chainBreak.file,
            segment: isOfHistory ? nil : name(chainBreak.numbers.lowerBound),
            through: isOfHistory ? nil : name(chainBreak.numbers.upperBound),
            segments: isOfHistory ? 0 : chainBreak.numbers.upperBound - chainBreak.numbers.lowerBound + 1,
            timeline: chainBreak.timeline,
            from: chainBreak.from,
            to: chainBreak.to,
            what: chainBreak.what,
            costs: costs,
            lostSnapshots: lostSnapshots,
            stuck: Set(
                lost.filter { $0.kind != .snapshot }.map { $0.kind == .standby ? "the standby" : "clone '\($0.name)'" }
            )
            .sorted(),
            advice: advice(chainBreak, isNeeded: !concerned.isEmpty)
        )
    }

    private func advice(_ chainBreak: ChainBreak, isNeeded: Bool) -> String {
        let hasBackups = !facts.roots.isEmpty
        let repair =
            hasBackups
            ? "'pgarchive wal_archive verify --repair' fetches it from the upstream, if it still has it"
            : "--repair with -d CONNECTION fetches it from the server, if that still has it"
        let snapshot = hasBackups ? "take a snapshot now" : "take a base backup now"
        switch chainBreak.kind {
        case .missing, .incomplete, .endsEarly: return "\(repair); else \(snapshot)"
        case .differingDuplicate:
            return "'pgarchive wal_archive verify --repair' keeps the one whose records are right"
        case .misplaced: return "find out who put it there, and move it away"
        case .historyMissing, .historyDamaged:
            return "copy the file from the upstream's pg_wal, or from another archive of it"
        case .historyConflict: return "two servers wrote to this archive: find out which one the upstream descends from"
        case .otherCluster, .otherTimeline:
            return "find out who put it there; \(repair)"
        case .wrongSize, .damaged, .unreadable, .snapshotUnreadable:
            return isNeeded ? "\(repair); else \(snapshot)" : "nothing needs it"
        }
    }
}

extension ChainBreak {
    /// Whether a snapshot's own recovery passes it.
    func cuts(_ root: ChainFacts.Root) -> Bool {
        from < max(root.consistent, root.redo.advanced(by: 1)) && to > root.redo
    }
}

/// One tip with all that is broken on the way to it.
struct Way {
    let tip: ChainPlan.Tip
    let breaks: [ChainBreak]
    let end: LSN
    /// The snapshots from which something can be recovered.
    let alive: [ChainFacts.Root]

    init(_ tip: ChainPlan.Tip, _ breaks: [ChainBreak], end: LSN) {
        let ours = breaks.filter { tip.needs($0) }
        self.tip = tip
        self.breaks = ours.sorted { $0.from < $1.from }
        self.end = end
        alive = tip.roots.filter { root in
            root.kind == .snapshot && !ours.contains { $0.cuts(root) }
        }
    }

    /// The moments that only this break, and those that follow at once, keep from being reached.
    func cost(of chainBreak: ChainBreak) -> Finding.Cost? {
        if tip.roots.isEmpty {
            // Nobody knows of what there are backups: what cannot be read is all that can be said.
            return Finding.Cost(
                timelines: [tip.timeline],
                from: chainBreak.from,
                to: chainBreak.to,
                lastBefore: chainBreak.lastBefore,
                firstAfter: chainBreak.firstAfter,
                nextSnapshot: nil
            )
        }
        guard let first = tip.roots.filter({ $0.kind == .snapshot }).map(\.consistent).min() else { return nil }
        let from = max(chainBreak.from, first)
        let next = alive.filter { $0.redo >= chainBreak.to }.min { $0.consistent < $1.consistent }
        guard from < next?.consistent ?? max(end, chainBreak.to) else { return nil }
        return Finding.Cost(
            timelines: [tip.timeline],
            from: from,
            to: next?.consistent,
            lastBefore: chainBreak.from >= first ? chainBreak.lastBefore : nil,
            firstAfter: next?.time,
            nextSnapshot: next?.name
        )
    }
}
