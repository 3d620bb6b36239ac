/// Blanks comments and the contents of string literals, so that a rule about code does not fire on prose.
///
/// Enough of Swift's lexis for that: nested comments, multi-line, raw and interpolated strings.
struct SwiftText {
    private enum Mode {
        case code
        case lineComment
        case blockComment(depth: Int)
        case string(quotes: Int, hashes: Int)
        /// Inside `\( )` of a string, with its own open parentheses.
        case interpolation(parentheses: Int)
    }

    private var modes: [Mode] = [.code]
    private var output: [UInt8] = []

    static func code(of lines: [String]) -> [String] {
        var text = SwiftText()
        return lines.map { text.line(Array($0.utf8)) }
    }

    private mutating func line(_ bytes: [UInt8]) -> String {
        output = []
        var index = 0
        while index < bytes.count {
            index += step(bytes[index...])
        }
        endOfLine()
        return String(decoding: output, as: UTF8.self)
    }

    /// Handles what stands at the start of `rest`; returns how many bytes that was.
    private mutating func step(_ rest: ArraySlice<UInt8>) -> Int {
        switch modes[modes.count - 1] {
        case .code: return inCode(rest, parentheses: nil)
        case .interpolation(let parentheses): return inCode(rest, parentheses: parentheses)
        case .lineComment: return rest.count
        case .blockComment(let depth): return inComment(rest, depth: depth)
        case .string(let quotes, let hashes): return inString(rest, quotes: quotes, hashes: hashes)
        }
    }

    private mutating func inCode(_ rest: ArraySlice<UInt8>, parentheses: Int?) -> Int {
        if rest.starts(with: "//".utf8) {
            modes.append(.lineComment)
            return rest.count
        }
        if rest.starts(with: "/*".utf8) {
            modes.append(.blockComment(depth: 1))
            return 2
        }
        let hashes = rest.prefix { $0 == UInt8(ascii: "#") }.count
        let opened = rest.dropFirst(hashes)
        if opened.first == UInt8(ascii: "\"") {
            let quotes = opened.starts(with: "\"\"\"".utf8) ? 3 : 1
            modes.append(.string(quotes: quotes, hashes: hashes))
            output.append(UInt8(ascii: "\""))
            return hashes + quotes
        }
        guard let byte = rest.first else { return 1 }
        if let parentheses {
            let change = byte == UInt8(ascii: "(") ? 1 : byte == UInt8(ascii: ")") ? -1 : 0
            modes.removeLast()
            if parentheses + change > 0 { modes.append(.interpolation(parentheses: parentheses + change)) }
        }
        output.append(byte)
        return 1
    }

    private mutating func inComment(_ rest: ArraySlice<UInt8>, depth: Int) -> Int {
        let change = rest.starts(with: "/*".utf8) ? 1 : rest.starts(with: "*/".utf8) ? -1 : 0
        guard change != 0 else { return 1 }
        modes.removeLast()
        if depth + change > 0 { modes.append(.blockComment(depth: depth + change)) }
        return 2
    }

    private mutating func inString(_ rest: ArraySlice<UInt8>, quotes: Int, hashes: Int) -> Int {
        let marks = [UInt8](repeating: UInt8(ascii: "#"), count: hashes)
        let escape = [UInt8(ascii: "\\")] + marks
        if rest.starts(with: escape) {
            if rest.dropFirst(escape.count).first == UInt8(ascii: "(") {
                modes.append(.interpolation(parentheses: 1))
                output.append(UInt8(ascii: "("))
            }
            return escape.count + 1
        }
        let end = [UInt8](repeating: UInt8(ascii: "\""), count: quotes) + marks
        guard rest.starts(with: end) else { return 1 }
        modes.removeLast()
        output.append(UInt8(ascii: "\""))
        return end.count
    }

    private mutating func endOfLine() {
        switch modes[modes.count - 1] {
        case .lineComment: modes.removeLast()
        case .string(1, _): modes.removeLast()
        default: break
        }
    }
}
