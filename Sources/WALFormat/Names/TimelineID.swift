/// A timeline's number, from 1; in file names as eight hexadecimal digits (PostgreSQL: `TimeLineID`).
@frozen
package struct TimelineID: RawRepresentable, Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    package let rawValue: UInt32

    @inlinable
    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    @inlinable
    package init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    @inlinable
    package static func < (left: TimelineID, right: TimelineID) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The decimal number, as people and `recovery_target_timeline` write it.
    package var description: String { String(rawValue) }

    /// The eight digits that begin each segment name, and the history file's name.
    package var hexadecimalName: String { hexadecimal(UInt64(rawValue), width: 8) }

    package var historyFileName: String { "\(hexadecimalName).history" }
}
