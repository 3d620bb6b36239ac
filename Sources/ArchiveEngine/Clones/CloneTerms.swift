package import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// What its maker says of a new clone besides its moment.
package struct CloneTerms: Sendable {
    package enum Expiry: Hashable, Sendable {
        /// As the settings say.
        case usual
        case never
        case after(seconds: Double)
    }

    package var expiry = Expiry.usual
    package var owner: String?
    package var note: String?
    package var isReachable = false
    /// Settings for its postgresql.conf.
    package var settings: [CloneSetting] = []
    /// SQL that is run after its recovery, and what its user calls it.
    package var scripts: [(title: String, text: [UInt8])] = []
    /// The database in which the scripts begin.
    package var database = "postgres"
    /// Each role that can log in gets a new random password.
    package var givesPasswords = false
    /// It is removed unless it comes up, and all of this is done.
    var isUnfinished = false

    package init() {}

    /// Whether something is to be done in it before others may connect.
    package var hasSetup: Bool { givesPasswords || !scripts.isEmpty }

    /// Puts them into a record, as of its creation.
    func apply(to record: inout CloneRecord, _ container: Container) {
        record.owner = owner
        record.note = note
        record.expiresAt = Self.end(expiry, container.settings, from: record.createdAt)
        record.protected = nil
        record.reachable = isReachable ? true : nil
        record.unfinished = isUnfinished ? true : nil
        guard hasSetup else {
            record.setup = nil
            return
        }
        record.setup = CloneSetup(
            scripts: scripts.enumerated().map { CloneSetup.Script(file: ClonePaths.script($0 + 1), title: $1.title) },
            database: database,
            passwords: givesPasswords
        )
    }

    /// A time that is over gives way to the usual one from now: what is newly made or let go is not removed at once.
    static func renewExpiry(of record: inout CloneRecord, _ container: Container) {
        guard let end = record.expiresAt, end <= .current else { return }
        record.expiresAt = Self.end(.usual, container.settings, from: .current)
    }

    static func end(_ expiry: Expiry, _ settings: Settings, from start: PostgresTime) -> PostgresTime? {
        let seconds: Double?
        switch expiry {
        case .usual: seconds = settings.cloneExpireAfter
        case .never: seconds = nil
        case .after(let given): seconds = given
        }
        return seconds.map { seconds in
            PostgresTime(rawValue: start.rawValue.addingReportingOverflow(Int64(seconds * 1e6)).partialValue)
        }
    }
}

/// What is said anew of a clone: nil leaves what is there; an empty text takes it away.
package struct CloneChange: Sendable {
    package var expiry: CloneTerms.Expiry?
    package var owner: String?
    package var note: String?

    package init(expiry: CloneTerms.Expiry? = nil, owner: String? = nil, note: String? = nil) {
        self.expiry = expiry
        self.owner = owner
        self.note = note
    }

    /// The expiry counts from now.
    func apply(to record: inout CloneRecord, _ container: Container) {
        if let expiry { record.expiresAt = CloneTerms.end(expiry, container.settings, from: .current) }
        if let owner { record.owner = owner.isEmpty ? nil : owner }
        if let note { record.note = note.isEmpty ? nil : note }
    }
}

/// Changes what is said of a clone, and whether it may be touched.
package struct CloneAlter: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    package func run(name: String, change said: CloneChange) throws -> CloneRecord {
        try change(name, for: "clone alter") { said.apply(to: &$0, container) }
    }

    package func protect(name: String, _ isProtected: Bool) throws -> CloneRecord {
        try change(name, for: isProtected ? "clone protect" : "clone unprotect") { record in
            record.protected = isProtected ? true : nil
            // It was not meant to be gone with that.
            if !isProtected { CloneTerms.renewExpiry(of: &record, container) }
        }
    }

    private func change(_ name: String, for work: String, _ body: (inout CloneRecord) -> Void) throws -> CloneRecord {
        let catalog = CloneCatalog(container)
        _ = try catalog.find(name)
        let lock = try CloneLock.take(container, name, for: work)
        defer { lock.release() }
        var record = try catalog.find(name)
        guard !record.isLook else {
            throw ArchiveError(
                .refused,
                "'\(name)' is a throwaway server, and goes by itself",
                hint: "'pgarchive clone create NAME --lsn \(record.stop) --exclusive' makes a clone of its moment"
            )
        }
        body(&record)
        try catalog.save(record)
        return record
    }
}

extension PostgresTime {
    static var current: PostgresTime { PostgresTime(unixMicroseconds: SystemClock.now()) }
}
