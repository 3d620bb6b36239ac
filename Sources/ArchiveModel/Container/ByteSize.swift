/// Sizes as people write them: `20G`, `256MB`, `1 GiB`; units are powers of 1024, as in PostgreSQL.
package enum ByteSize {
    private static let units: [(names: [String], bytes: UInt64)] = [
        (["", "b"], 1),
        (["k", "kb", "kib"], 1 << 10),
        (["m", "mb", "mib"], 1 << 20),
        (["g", "gb", "gib"], 1 << 30),
        (["t", "tb", "tib"], 1 << 40),
    ]

    package static func parse(_ text: String) -> UInt64? {
        let trimmed = text.lowercased().filter { $0 != " " }
        let digits = trimmed.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits) else { return nil }
        let suffix = String(trimmed.dropFirst(digits.count))
        guard let unit = units.first(where: { $0.names.contains(suffix) }) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// A text which `parse` reads back as the same number.
    package static func exact(_ bytes: UInt64) -> String {
        for (suffix, unit) in [("TB", UInt64(1) << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)]
        where bytes >= unit && bytes % unit == 0 {
            return "\(bytes / unit)\(suffix)"
        }
        return "\(bytes)B"
    }
}
