/// Lengths of time as people write them: `2d`, `90 min`, `12 hours`, `1 week`, `1h 30min`.
package enum TimeSpan {
    private static let units: [(names: [String], seconds: Double)] = [
        (["w", "week", "weeks"], 604_800),
        (["d", "day", "days"], 86_400),
        (["h", "hour", "hours"], 3600),
        (["min", "m", "minute", "minutes"], 60),
        (["s", "sec", "second", "seconds"], 1),
    ]

    /// A hundred years: more is a mistake, and no time can be reckoned with it.
    package static let longestSeconds = 3_155_760_000.0

    /// Seconds; nil where the text is no length of time, or none that is positive.
    package static func parse(_ text: String) -> Double? {
        var rest = text.lowercased().filter { $0 != " " }[...]
        var total = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let word = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(word.count)
            guard let number = Double(digits), let unit = units.first(where: { $0.names.contains(String(word)) })
            else { return nil }
            total += number * unit.seconds
        }
        return total > 0 && total <= longestSeconds ? total : nil
    }

    /// A text which `parse` reads back as the same time, down to the second.
    package static func exact(_ seconds: Double) -> String {
        let whole = max(1, Int(min(seconds, longestSeconds)))
        for (unit, name) in [(604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute")]
        where whole % unit == 0 {
            return "\(whole / unit) \(name)\(whole == unit ? "" : "s")"
        }
        return "\(whole) second\(whole == 1 ? "" : "s")"
    }
}
