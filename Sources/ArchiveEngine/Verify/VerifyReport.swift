package import ArchiveModel
import Platform
package import WALFormat

/// What a verification looked at and found.
package struct VerifyReport: Codable, Sendable {
    /// How far one timeline can be followed.
    package struct Timeline: Codable, Sendable {
        package var timeline: TimelineID
        package var from: LSN
        package var to: LSN
        package var lastCommit: PostgresTime?

        package init(timeline: TimelineID, from: LSN, to: LSN, lastCommit: PostgresTime? = nil) {
            self.timeline = timeline
            self.from = from
            self.to = to
            self.lastCommit = lastCommit
        }
    }

    package var at: PostgresTime
    package var deep: Bool
    package var seconds: Double
    package var segments: Int
    package var bytes: UInt64
    package var timelines: [Timeline]
    package var findings: [Finding]
    package var notes: [ChainNote]

    package init(
        at: PostgresTime,
        deep: Bool,
        seconds: Double,
        segments: Int,
        bytes: UInt64,
        timelines: [Timeline],
        findings: [Finding],
        notes: [ChainNote]
    ) {
        self.at = at
        self.deep = deep
        self.seconds = seconds
        self.segments = segments
        self.bytes = bytes
        self.timelines = timelines
        self.findings = findings
        self.notes = notes
    }

    init(_ outcome: Verification.Outcome, deep: Bool, seconds: Double, at: PostgresTime) {
        let size = outcome.plan.facts.segmentSize
        self.init(
            at: at,
            deep: deep,
            seconds: seconds,
            segments: deep ? outcome.reading.segments : outcome.plan.neededFiles,
            bytes: deep ? outcome.reading.bytes : 0,
            timelines: outcome.plan.tips.map { tip in
                Timeline(
                    timeline: tip.timeline,
                    from: size.start(of: tip.legs.first?.numbers.lowerBound ?? 0),
                    to: outcome.reading.ends[tip.timeline] ?? tip.end,
                    lastCommit: outcome.reading.lastCommits[tip.timeline]
                )
            },
            findings: outcome.findings,
            notes: outcome.plan.notes
        )
    }
}

/// When an archive was verified last, and with which result (`run/verify.json`); losing it costs nothing.
package struct LastVerification: Codable, Sendable {
    package var at: PostgresTime
    package var deep: Bool
    package var findings: Int
    /// The worst of them, in a sentence.
    package var first: String?

    package init(at: PostgresTime, deep: Bool, findings: Int, first: String?) {
        self.at = at
        self.deep = deep
        self.findings = findings
        self.first = first
    }

    init(_ report: VerifyReport) {
        self.init(
            at: report.at,
            deep: report.deep,
            findings: report.findings.count,
            first: report.findings.first?.what
        )
    }

    /// The last one of each kind: names alone do not take back what reading found.
    private struct Both: Codable {
        var quick: LastVerification?
        var deep: LastVerification?
    }

    /// A full disk is no reason for a verification to fail.
    func store(_ container: Container) {
        let path = container.paths.lastVerification
        var both = (try? JSONFile.read(Both.self, from: path)) ?? Both()
        if deep { both.deep = self } else { both.quick = self }
        try? JSONFile.replace(path, with: both)
    }

    /// The last one that read everything, and a quick one that came after it.
    package static func read(_ container: Container) -> [LastVerification] {
        guard let both = try? JSONFile.read(Both.self, from: container.paths.lastVerification) else { return [] }
        let quick = both.quick.flatMap { quick in both.deep.map { $0.at < quick.at } ?? true ? quick : nil }
        return [both.deep, quick].compactMap(\.self)
    }
}
