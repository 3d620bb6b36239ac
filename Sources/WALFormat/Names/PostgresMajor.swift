/// A major version of PostgreSQL that pgarchive supports, 15 to 18, with what its WAL differs in.
package enum PostgresMajor: Int, CaseIterable, Sendable, Comparable, Codable {
    case v15 = 15
    case v16 = 16
    case v17 = 17
    case v18 = 18

    /// `XLOG_PAGE_MAGIC` (xlog_internal.h of each branch).
    package var pageMagic: UInt16 {
        switch self {
        case .v15: 0xD110
        case .v16: 0xD113
        case .v17: 0xD116
        case .v18: 0xD118
        }
    }

    package init?(pageMagic: UInt16) {
        guard let major = Self.allCases.first(where: { $0.pageMagic == pageMagic }) else { return nil }
        self = major
    }

    package static func < (left: PostgresMajor, right: PostgresMajor) -> Bool {
        left.rawValue < right.rawValue
    }
}
