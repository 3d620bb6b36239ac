/// One idea to a file, and functions that fit on a screen.
enum Sizes {
    static let lineCharacters = 120
    static let fileLines = 500
    static let functionLines = 70

    static func findings(in tree: SourceTree) -> [Finding] {
        tree.files.flatMap(longLines) + tree.files.flatMap(longFile) + tree.swift.flatMap(longFunctions)
    }

    private static func longLines(in file: SourceFile) -> [Finding] {
        guard !file.path.hasSuffix(".md") else { return [] }
        return file.lines.enumerated().filter { $0.element.count > lineCharacters }.map {
            let what = "\($0.element.count) characters; at most \(lineCharacters)"
            return Finding(path: file.path, line: $0.offset + 1, what: what)
        }
    }

    private static func longFile(in file: SourceFile) -> [Finding] {
        guard file.lines.count > fileLines else { return [] }
        return [Finding(path: file.path, line: 0, what: "\(file.lines.count) lines; at most \(fileLines): split it")]
    }

    /// The formatter puts a function's closing brace at the column of its first line, so lines are enough to go by.
    private static func longFunctions(in file: SourceFile) -> [Finding] {
        var findings: [Finding] = []
        for (start, line) in file.code.enumerated() where isFunction(line) {
            let indentation = String(line.prefix { $0 == " " })
            guard let opened = file.code[start...].firstIndex(where: { $0.hasSuffix("{") || $0.hasSuffix("}") }),
                file.code[opened].hasSuffix("{"),
                let end = file.code[opened...].dropFirst().firstIndex(of: indentation + "}")
            else { continue }
            let length = end - start + 1
            guard length > functionLines else { continue }
            let what = "a function of \(length) lines; at most \(functionLines)"
            findings.append(Finding(path: file.path, line: start + 1, what: what))
        }
        return findings
    }

    private static func isFunction(_ line: String) -> Bool {
        let words = line.split(separator: " ")
        guard !words.isEmpty else { return false }
        return words.contains("func") || words.contains { $0.hasPrefix("init(") || $0.hasPrefix("init?(") }
    }
}
