import ArchiveEngine
import Platform
import WALFormat

extension PostgresTime {
    static var now: PostgresTime { PostgresTime(unixMicroseconds: SystemClock.now()) }
}

/// Sizes, durations and instants as people read them; JSON never uses these.
enum HumanText {
    /// `0 B`, `812 kB`, `1.4 GB`; powers of 1024, as PostgreSQL's `pg_size_pretty` counts.
    static func bytes(_ count: UInt64) -> String {
        if count < 1024 { return "\(count) B" }
        var value = Double(count)
        var unit = "B"
        for next in ["kB", "MB", "GB", "TB", "PB"] where value >= 1023.5 {
            value /= 1024
            unit = next
        }
        return value < 9.95 ? "\(oneDecimal(value)) \(unit)" : "\(Int(value.rounded())) \(unit)"
    }

    /// `0s`, `12s`, `4m 10s`, `3h 05m`, `2d 04h`: the two largest units.
    static func duration(seconds: Double) -> String {
        let total = Int(max(0, min(seconds, 1e12)).rounded(.down))
        let (days, hours, minutes, rest) = (total / 86_400, total / 3600 % 24, total / 60 % 60, total % 60)
        if days > 0 { return "\(days)d \(twoDigits(hours))h" }
        if hours > 0 { return "\(hours)h \(twoDigits(minutes))m" }
        if minutes > 0 { return "\(minutes)m \(twoDigits(rest))s" }
        return "\(rest)s"
    }

    /// A short time with the precision it deserves: `35 ms`, `1.4 s`, `3m 20s`.
    static func elapsed(seconds: Double) -> String {
        if seconds < 1 { return "\(Int((max(0, seconds) * 1000).rounded())) ms" }
        return seconds < 60 ? "\(oneDecimal(seconds)) s" : duration(seconds: seconds)
    }

    /// How long ago; a moment in the future by clocks that differ is "now".
    static func age(of time: PostgresTime, now: PostgresTime) -> String {
        let microseconds = now.rawValue.subtractingReportingOverflow(time.rawValue).partialValue
        return duration(seconds: Double(microseconds) / 1e6)
    }

    /// In the local zone, with it: `2026-11-21 09:23:50+01:00`; a fraction only where there is one.
    ///
    /// Both `date --date` and PostgreSQL read this form back.
    static func instant(_ time: PostgresTime) -> String { Instant.local(time) }

    /// The same, down to the second: for tables.
    static func instantSeconds(_ time: PostgresTime) -> String {
        instant(PostgresTime(rawValue: time.rawValue.subtractingReportingOverflow(fraction(time)).partialValue))
    }

    /// The first full second that is not earlier: for limits, so that what is shown lies within.
    static func instantFullSecond(from time: PostgresTime) -> String {
        let rest = fraction(time)
        guard rest > 0 else { return instant(time) }
        return instant(PostgresTime(rawValue: time.rawValue.addingReportingOverflow(1_000_000 - rest).partialValue))
    }

    /// Microseconds beyond the full second.
    private static func fraction(_ time: PostgresTime) -> Int64 {
        let rest = time.rawValue % 1_000_000
        return rest < 0 ? rest + 1_000_000 : rest
    }

    /// `1 segment`, `3 segments`.
    static func count(_ number: Int, _ noun: String) -> String {
        number == 1 ? "1 \(noun)" : "\(number) \(noun)s"
    }

    private static func twoDigits(_ value: Int) -> String {
        value < 10 ? "0\(value)" : "\(value)"
    }

    private static func oneDecimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
