/// A row that two tables do not share, or not alike.
package struct RowDifference: Hashable, Sendable {
    package enum Kind: String, CaseIterable, Codable, Sendable {
        case onlyLeft
        case onlyRight
        /// Of the same key.
        case changed
    }

    package var kind: Kind
    /// The values of the columns that both have, in the plan's order; nil on a side that lacks the row.
    package var left: [String?]?
    package var right: [String?]?
    /// Of a table without a key: how many more rows like this one there are.
    package var copies: Int

    package init(_ kind: Kind, left: [String?]? = nil, right: [String?]? = nil, copies: Int = 1) {
        self.kind = kind
        self.left = left
        self.right = right
        self.copies = copies
    }

    /// By bytes, as PostgreSQL compares; to Swift an `é` is the same in one part and in two.
    package static func areSame(_ left: String?, _ right: String?) -> Bool {
        left.map { Array($0.utf8) } == right.map { Array($0.utf8) }
    }
}

/// How many rows two tables share, and how many not.
package struct RowCounts: Codable, Hashable, Sendable {
    package var left: UInt64 = 0
    package var right: UInt64 = 0
    package var onlyLeft: UInt64 = 0
    package var onlyRight: UInt64 = 0
    package var changed: UInt64 = 0

    package init() {}

    package var areSame: Bool { onlyLeft == 0 && onlyRight == 0 && changed == 0 }

    package mutating func add(_ kind: RowDifference.Kind, _ copies: Int) {
        let count = UInt64(max(0, copies))
        switch kind {
        case .onlyLeft: onlyLeft &+= count
        case .onlyRight: onlyRight &+= count
        case .changed: changed &+= count
        }
    }
}
