package import WALFormat

/// Looks whether an upstream can be archived, and says all that is missing at once.
package struct UpstreamPreflight: Sendable {
    package struct Finding: Sendable, Hashable {
        package enum Severity: Sendable, Hashable {
            /// Nothing can be done before this is fixed.
            case refusal
            /// Worth knowing.
            case remark
        }

        package let severity: Severity
        package let what: String
        /// The exact line, or lines, that fix it; nil for a remark with nothing to do.
        package let fix: String?
        /// Of a failed connection: by this a caller chooses its exit code.
        package let kind: LinkError.Kind?
    }

    package struct Report: Sendable {
        package var findings: [Finding]
        /// Nil when too little could be read.
        package var facts: UpstreamFacts?

        package var refusals: [Finding] { findings.filter { $0.severity == .refusal } }
        package var isPassed: Bool { refusals.isEmpty && facts != nil }
    }

    package var sql: ConnectionString
    package var replication: ConnectionString
    package var slot: String
    package var installedMajors: [PostgresMajor]
    /// True when an init goes on with a slot of its own; then one that exists, physical and inactive, is fine.
    package var slotMayExist: Bool

    package init(
        sql: ConnectionString,
        replication: ConnectionString,
        slot: String,
        installedMajors: [PostgresMajor],
        slotMayExist: Bool = false
    ) {
        self.sql = sql
        self.replication = replication
        self.slot = slot
        self.installedMajors = installedMajors
        self.slotMayExist = slotMayExist
    }

    package func run() -> Report {
        Report(findings: [], facts: nil)
    }
}
