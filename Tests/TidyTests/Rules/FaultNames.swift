/// Every fault point is passed on purpose: its name stands in a test.
enum FaultNames {
    static func findings(in tree: SourceTree) -> [Finding] {
        let tests = tree.swift.filter { $0.path.hasPrefix("Tests/") }.flatMap(\.lines)
        return tree.swift.filter { $0.path.hasPrefix("Sources/") }.flatMap { file in
            file.lines.enumerated().compactMap { index, line -> Finding? in
                guard let name = name(in: line), !tests.contains(where: { isNamed(name, in: $0) }) else { return nil }
                return Finding(
                    path: file.path,
                    line: index + 1,
                    what: "no test passes the fault point '\(name)': Tests/Scenarios/FaultPoints.swift lists those of "
                        + "each operation"
                )
            }
        }
    }

    private static func name(in line: String) -> String? {
        let parts = line.split(separator: "FaultPoint.pass(\"", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        return parts[1].split(separator: "\"", maxSplits: 1, omittingEmptySubsequences: false).first.map(String.init)
    }

    /// Whole: `segment.write` is not named by `segment.writeDirect`.
    private static func isNamed(_ name: String, in line: String) -> Bool {
        line.ranges(of: name).contains { range in
            let next = range.upperBound < line.endIndex ? line[range.upperBound] : " "
            let before = range.lowerBound > line.startIndex ? line[line.index(before: range.lowerBound)] : " "
            return !next.isLetter && !before.isLetter && before != "."
        }
    }
}
