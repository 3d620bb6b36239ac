/// A place in the source tree that breaks a rule, and what to do instead.
struct Finding: Hashable, CustomStringConvertible {
    let path: String
    /// Counted from 1; 0 when the whole file is meant.
    let line: Int
    let what: String

    var description: String { line > 0 ? "\(path):\(line): \(what)" : "\(path): \(what)" }
}

/// All rules, in the order in which their findings are shown.
enum Tidy {
    static let rules: [(name: String, check: @Sendable (SourceTree) -> [Finding])] = [
        ("banned text", BannedText.findings),
        ("sizes", Sizes.findings),
        ("names", Names.findings),
        ("imports", ImportTable.findings),
        ("links", Links.findings),
        ("exit codes", ExitCodes.findings),
        ("manuals", Manuals.findings),
        ("executables", Executables.findings),
        ("fault points", FaultNames.findings),
    ]

    static func findings(in tree: SourceTree) -> [Finding] {
        rules.flatMap { $0.check(tree) }
    }
}
