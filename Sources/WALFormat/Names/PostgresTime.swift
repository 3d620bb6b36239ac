/// A moment as PostgreSQL writes it: microseconds since 2000-01-01 00:00:00 UTC (`TimestampTz`).
@frozen
package struct PostgresTime: RawRepresentable, Hashable, Comparable, Codable, Sendable {
    package let rawValue: Int64

    @inlinable
    package init(rawValue: Int64) {
        self.rawValue = rawValue
    }

    /// 2000-01-01 in seconds of the Unix epoch.
    package static let unixEpochOffsetSeconds: Int64 = 946_684_800

    package init(unixMicroseconds: Int64) {
        self.rawValue =
            unixMicroseconds.subtractingReportingOverflow(Self.unixEpochOffsetSeconds * 1_000_000).partialValue
    }

    package var unixMicroseconds: Int64 {
        rawValue.addingReportingOverflow(Self.unixEpochOffsetSeconds * 1_000_000).partialValue
    }

    @inlinable
    package static func < (left: PostgresTime, right: PostgresTime) -> Bool {
        left.rawValue < right.rawValue
    }
}
