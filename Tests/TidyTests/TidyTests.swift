import Testing

@Suite struct TidyTests {
    static let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

    @Test("The source tree keeps the project's rules", arguments: Tidy.rules.map(\.name))
    func tree(rule: String) throws {
        let tree = try SourceTree(root: Self.root)
        #expect(tree.swift.count > 50, "is this the source tree? \(Self.root)")
        let check = try #require(Tidy.rules.first { $0.name == rule }).check
        let findings = check(tree)
        #expect(findings.isEmpty, "\(findings.map(\.description).joined(separator: "\n"))")
    }
}
