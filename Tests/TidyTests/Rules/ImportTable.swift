/// Which target may import which module: the table of layers in ARCHITECTURE.md, which is read there.
enum ImportTable {
    static let page = "ARCHITECTURE.md"

    static func findings(in tree: SourceTree) -> [Finding] {
        let allowed = tree.file(page).map(rows) ?? [:]
        guard !allowed.isEmpty else {
            return [Finding(path: page, line: 0, what: "has no table of targets and what they import")]
        }
        return tree.swift.filter { $0.path.hasPrefix("Sources/") }.flatMap { findings(in: $0, allowed) }
    }

    /// The rows whose first cell names targets: `| `A`, `B` | what it is | C, D |`.
    static func rows(of page: SourceFile) -> [String: Set<String>] {
        var allowed: [String: Set<String>] = [:]
        for cells in Table.rows(of: page) where cells.count >= 3 {
            let modules = cells[2].split(separator: ",").map { $0.filter { $0 != " " } }
            for name in cells[0].split(separator: ",") {
                guard let target = Table.code(name.filter { $0 != " " }) else { continue }
                allowed[target] = Set(modules.map { String($0) })
            }
        }
        return allowed
    }

    private static func findings(in file: SourceFile, _ table: [String: Set<String>]) -> [Finding] {
        guard let target = file.target, let allowed = table[target] else {
            return [Finding(path: file.path, line: 0, what: "belongs to no target of the table in \(page)")]
        }
        return file.code.enumerated().compactMap { number, line in
            guard let module = module(importedBy: line), !allowed.contains(module) else { return nil }
            let what = "the table in \(page) does not let \(target) import \(module)"
            return Finding(path: file.path, line: number + 1, what: what)
        }
    }

    /// `package import struct Module.Type` → Module.
    static func module(importedBy line: String) -> String? {
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "import"), index + 1 < words.count else { return nil }
        let before: Set<Substring> = ["public", "package", "internal", "private", "fileprivate"]
        guard words[..<index].allSatisfy({ before.contains($0) || $0.hasPrefix("@") }) else { return nil }
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let rest = words[(index + 1)...].drop { kinds.contains($0) }
        return rest.first?.split(separator: ".").first.map(String.init)
    }
}
