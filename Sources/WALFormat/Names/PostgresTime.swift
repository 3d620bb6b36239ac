/// A moment as PostgreSQL writes it: microseconds since 2000-01-01 00:00:00 UTC (`TimestampTz`).
///
/// As text, and in JSON, it is ISO 8601 in UTC with all six digits: `2026-11-21T08:23:50.000000Z`; the two ends
/// of the range are PostgreSQL's `infinity` and `-infinity`.
@frozen
package struct PostgresTime: RawRepresentable, Hashable, Comparable, Codable, Sendable, LosslessStringConvertible {
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

    /// Negative when `earlier` is the later one; any two moments have a distance.
    package func seconds(since earlier: PostgresTime) -> Double {
        (Double(rawValue) - Double(earlier.rawValue)) / 1e6
    }

    @inlinable
    package static func < (left: PostgresTime, right: PostgresTime) -> Bool {
        left.rawValue < right.rawValue
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let time = PostgresTime(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "'\(text)' is not an ISO 8601 instant"
            )
        }
        self = time
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

// The calendar is the proleptic Gregorian one; days are counted from 0000-03-01, so that a leap day ends its year
// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
extension PostgresTime {
    private static let daySeconds: Int64 = 86_400
    /// From 0000-03-01 to 2000-01-01.
    private static let epochDay: Int64 = 730_425
    /// Days in 400 years.
    private static let eraDays: Int64 = 146_097

    package var description: String {
        if rawValue == Int64.max { return "infinity" }
        if rawValue == Int64.min { return "-infinity" }
        let (seconds, microseconds) = Self.floorDivide(rawValue, 1_000_000)
        let (day, secondOfDay) = Self.floorDivide(seconds, Self.daySeconds)
        let date = Self.civil(day: day)
        return Self.padded(date.year, 4) + "-" + Self.padded(date.month, 2) + "-" + Self.padded(date.day, 2)
            + "T" + Self.padded(secondOfDay / 3600, 2) + ":" + Self.padded(secondOfDay / 60 % 60, 2)
            + ":" + Self.padded(secondOfDay % 60, 2) + "." + Self.padded(microseconds, 6) + "Z"
    }

    /// Reads what `description` writes; the fraction may have one to six digits or be missing.
    package init?(_ text: String) {
        if text == "infinity" || text == "-infinity" {
            self.rawValue = text == "infinity" ? Int64.max : Int64.min
            return
        }
        guard text.hasSuffix("Z") else { return nil }
        let halves = text.dropLast().split(separator: "T", omittingEmptySubsequences: false)
        guard halves.count == 2, let day = Self.day(halves[0]), let time = Self.timeOfDay(halves[1]) else { return nil }
        let (start, overflow) = (day * Self.daySeconds).multipliedReportingOverflow(by: 1_000_000)
        let (value, overflowAgain) = start.addingReportingOverflow(time)
        guard !overflow, !overflowAgain else { return nil }
        self.rawValue = value
    }

    /// Days since 2000-01-01 of `YYYY-MM-DD`.
    private static func day(_ text: Substring) -> Int64? {
        var sign: Int64 = 1
        var digits = text
        if digits.hasPrefix("-") {
            sign = -1
            digits = digits.dropFirst()
        }
        let fields = digits.split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count == 3, let year = number(fields[0], 4...6), let month = number(fields[1], 2...2),
            let day = number(fields[2], 2...2), (1...12).contains(month)
        else { return nil }
        let result = dayNumber(year: sign * year, month: month, day: day)
        return civil(day: result) == (sign * year, month, day) ? result : nil
    }

    /// Microseconds of `HH:MM:SS[.ffffff]`.
    private static func timeOfDay(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let fields = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, fields.count == 3, let hour = number(fields[0], 2...2), hour < 24,
            let minute = number(fields[1], 2...2), minute < 60, let second = number(fields[2], 2...2), second < 60
        else { return nil }
        var fraction: Int64 = 0
        if parts.count == 2 {
            guard let digits = number(parts[1], 1...6) else { return nil }
            fraction = digits
            for _ in parts[1].count..<6 { fraction *= 10 }
        }
        return ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
    }

    private static func civil(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(day + epochDay, eraDays)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func dayNumber(year: Int64, month: Int64, day: Int64) -> Int64 {
        let (era, yearOfEra) = floorDivide(month <= 2 ? year - 1 : year, 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * eraDays + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - epochDay
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func number(_ text: Substring, _ digits: ClosedRange<Int>) -> Int64? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value.magnitude)
        return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
