/// Which target may import which module: the layers of ARCHITECTURE.md.
enum ImportTable {
    static let system: Set<String> = ["Glibc", "Synchronization"]

    static let allowed: [String: Set<String>] = [
        "WALFormat": ["CCRC32C"],
        "ArchiveModel": ["WALFormat"],
        "Platform": system.union(["CPlatform", "CBtrfs"]),
        "WALStore": system.union(["WALFormat", "ArchiveModel", "Platform", "CZstd"]),
        "PostgresLink": system.union(["WALFormat", "ArchiveModel", "Platform", "CLibpq"]),
        "ArchiveEngine": system.union([
            "WALFormat", "ArchiveModel", "Platform", "WALStore", "PostgresLink", "TOMLKit", "Foundation",
            "FoundationEssentials",
        ]),
        "pgarchive": system.union([
            "WALFormat", "ArchiveModel", "Platform", "WALStore", "PostgresLink", "ArchiveEngine", "ArgumentParser",
            "Foundation", "FoundationEssentials",
        ]),
        "pgarchive-wal": ["WALFormat", "ArchiveModel", "Platform", "WALStore", "Glibc"],
    ]

    static func findings(in tree: SourceTree) -> [Finding] {
        tree.swift.flatMap(findings)
    }

    private static func findings(in file: SourceFile) -> [Finding] {
        guard file.path.hasPrefix("Sources/"), let target = file.target, let allowed = allowed[target] else {
            return []
        }
        return file.code.enumerated().compactMap { number, line in
            guard let module = module(importedBy: line), !allowed.contains(module) else { return nil }
            let list = allowed.sorted().joined(separator: ", ")
            return Finding(path: file.path, line: number + 1, what: "\(target) must not import \(module); only \(list)")
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
