import Foundation
package import WALFormat

/// Moments as text.
package enum Instant {
    /// `20261121-082350`, UTC: the standard names of snapshots.
    package static func compact(_ time: PostgresTime) -> String {
        let parts = fields(time)
        return parts.0 + "-" + parts.1.filter { $0 != ":" }
    }

    /// `2026-11-21T08:23:50.123456Z`.
    package static func iso(_ time: PostgresTime) -> String {
        var moment = tm()
        let (seconds, micros) = split(time)
        var clock = time_t(seconds)
        gmtime_r(&clock, &moment)
        return String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
            Int(moment.tm_year) + 1900,
            Int(moment.tm_mon) + 1,
            Int(moment.tm_mday),
            Int(moment.tm_hour),
            Int(moment.tm_min),
            Int(moment.tm_sec),
            Int(micros)
        )
    }

    /// In the local zone, with it: `2026-11-21 09:23:50+01:00`; a fraction only where there is one.
    ///
    /// Both `date --date` and PostgreSQL read this form back.
    package static func local(_ time: PostgresTime) -> String {
        if time.rawValue == Int64.max || time.rawValue == Int64.min { return time.description }
        let (seconds, micros) = split(time)
        var clock = time_t(seconds)
        var moment = tm()
        guard localtime_r(&clock, &moment) != nil else { return time.description }
        let offset = Int(moment.tm_gmtoff) / 60
        var decimals = ""
        if micros > 0 {
            decimals = String(format: ".%06d", Int(micros))
            while decimals.hasSuffix("0") { decimals.removeLast() }
        }
        return String(
            format: "%d-%02d-%02d %02d:%02d:%02d%@%@%02d:%02d",
            Int(moment.tm_year) + 1900,
            Int(moment.tm_mon) + 1,
            Int(moment.tm_mday),
            Int(moment.tm_hour),
            Int(moment.tm_min),
            Int(moment.tm_sec),
            decimals,
            offset < 0 ? "-" : "+",
            abs(offset) / 60,
            abs(offset) % 60
        )
    }

    private static func fields(_ time: PostgresTime) -> (String, String) {
        let text = iso(time)
        return (String(text.prefix(10)).filter { $0 != "-" }, String(text.dropFirst(11).prefix(8)))
    }

    private static func split(_ time: PostgresTime) -> (seconds: Int64, microseconds: Int64) {
        let micros = time.unixMicroseconds
        let rest = micros % 1_000_000
        return (micros / 1_000_000 - (rest < 0 ? 1 : 0), rest < 0 ? rest + 1_000_000 : rest)
    }
}
