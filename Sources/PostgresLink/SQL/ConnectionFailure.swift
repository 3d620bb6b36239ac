internal import CLibpq

/// Reads why a connection failed out of libpq's report.
///
/// libpq has no call for the SQLSTATE of a failed connection. With `PQERRORS_VERBOSE` set before the handshake its
/// report has the protocol's fields in a fixed form: `SEVERITY:  SQLSTATE: message`, then `DETAIL:  …`, `HINT:  …`.
struct ConnectionFailure: Equatable {
    var sqlState: String?
    var message: String
    var detail: String?
    var hint: String?

    init(report: String) {
        let lines = report.split(separator: "\n").map(String.init)
        var parsed: (state: String, message: String)?
        for line in lines where parsed == nil {
            parsed = Self.stateAndMessage(in: line)
        }
        sqlState = parsed?.state
        message = parsed?.message ?? Self.ownWords(lines) ?? "no reason given"
        detail = Self.field("DETAIL:  ", in: lines)
        hint = Self.field("HINT:  ", in: lines)
    }

    func error(needsPassword: Bool) -> LinkError {
        if needsPassword, sqlState == nil {
            return LinkError(.authentication, message, hint: "put the password into the owner's ~/.pgpass")
        }
        let kind = sqlState.map { LinkError.kind(sqlState: $0) } ?? .unreachable
        return LinkError(kind, message, sqlState: sqlState, detail: detail, hint: hint)
    }

    /// What libpq says itself: one line for each address tried, without the questions it adds below.
    private static func ownWords(_ lines: [String]) -> String? {
        var words: [String] = []
        for line in lines where !line.hasPrefix("\t") && !words.contains(line) { words.append(line) }
        return words.isEmpty ? nil : words.joined(separator: "; ")
    }

    static func firstLine(_ text: String) -> String? {
        text.split(separator: "\n").first.map(String.init)
    }

    /// Finds `:  XXXXX: ` with five characters of a SQLSTATE.
    private static func stateAndMessage(in line: String) -> (state: String, message: String)? {
        let bytes = Array(line.utf8)
        let colon = UInt8(ascii: ":")
        let space = UInt8(ascii: " ")
        guard bytes.count >= 10 else { return nil }
        for start in 0...(bytes.count - 10) {
            guard bytes[start] == colon, bytes[start + 1] == space, bytes[start + 2] == space,
                bytes[start + 8] == colon, bytes[start + 9] == space
            else { continue }
            let state = bytes[(start + 3)..<(start + 8)]
            let isState = state.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
            }
            guard isState else { continue }
            return (String(decoding: state, as: UTF8.self), String(decoding: bytes[(start + 10)...], as: UTF8.self))
        }
        return nil
    }

    private static func field(_ label: String, in lines: [String]) -> String? {
        lines.first { $0.hasPrefix(label) }.map { String($0.dropFirst(label.count)) }
    }
}
