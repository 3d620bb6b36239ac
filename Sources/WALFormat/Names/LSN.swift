/// A position in the WAL: a byte address, written `16/B374D848` (PostgreSQL: `XLogRecPtr`).
@frozen
package struct LSN: RawRepresentable, Hashable, Comparable, Sendable, Codable, LosslessStringConvertible {
    package let rawValue: UInt64

    @inlinable
    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    @inlinable
    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Reads `high/low` in hexadecimal, one to eight digits each; anything else is nil.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let high = hexadecimal(parts[0], digits: 1...8),
            let low = hexadecimal(parts[1], digits: 1...8)
        else { return nil }
        self.rawValue = high << 32 | low
    }

    /// PostgreSQL's "no position": 0/0 (`InvalidXLogRecPtr`).
    package static let invalid = LSN(0)

    @inlinable
    package static func < (left: LSN, right: LSN) -> Bool {
        left.rawValue < right.rawValue
    }

    /// This position moved on by a number of bytes; stays at the last address instead of overflowing.
    @inlinable
    package func advanced(by bytes: UInt64) -> LSN {
        let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
        return LSN(overflow ? UInt64.max : sum)
    }

    /// Bytes from `earlier` to here, 0 when `earlier` lies beyond.
    @inlinable
    package func bytes(since earlier: LSN) -> UInt64 {
        rawValue > earlier.rawValue ? rawValue &- earlier.rawValue : 0
    }

    package var isValid: Bool { rawValue != 0 }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let position = LSN(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not an LSN")
        }
        self = position
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package var description: String {
        let high = String(rawValue >> 32, radix: 16, uppercase: true)
        let low = String(rawValue & 0xFFFF_FFFF, radix: 16, uppercase: true)
        return "\(high)/\(low)"
    }
}

/// A number from exactly as many hexadecimal digits as `digits` allows, upper or lower case.
func hexadecimal(_ text: some StringProtocol, digits: ClosedRange<Int>) -> UInt64? {
    guard digits.contains(text.utf8.count) else { return nil }
    var value: UInt64 = 0
    for byte in text.utf8 {
        let digit: UInt8
        switch byte {
        case 0x30...0x39: digit = byte &- 0x30
        case 0x41...0x46: digit = byte &- 0x41 &+ 10
        case 0x61...0x66: digit = byte &- 0x61 &+ 10
        default: return nil
        }
        value = value << 4 | UInt64(digit)
    }
    return value
}

/// A number as upper-case hexadecimal, padded with zeros to `width`.
func hexadecimal(_ value: UInt64, width: Int) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
