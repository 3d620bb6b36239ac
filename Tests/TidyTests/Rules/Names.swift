/// A folder is a noun, a file a verb or one value; both unique, neither a drawer for everything.
enum Names {
    static let drawers = ["Util", "Utils", "Utility", "Utilities", "Helper", "Helpers", "Manager", "Common", "Misc"]
    static let times = ["New", "Old", "Deprecated", "Legacy"]

    static func findings(in tree: SourceTree) -> [Finding] {
        tree.swift.flatMap(drawers) + duplicates(in: tree) + tree.swift.flatMap(leftovers)
    }

    private static func drawers(in file: SourceFile) -> [Finding] {
        let parts = file.path.replacing(".swift", with: "").split(separator: "/")
        // pgarchive-wal is PostgreSQL's archive and restore helper: WALHelper is its name.
        guard file.target != "pgarchive-wal" else { return [] }
        return parts.compactMap { part in
            if let drawer = drawers.first(where: { part.hasSuffix($0) }) {
                return Finding(path: file.path, line: 0, what: "'\(drawer)' says nothing: name it after what it does")
            }
            if let time = times.first(where: { part == $0 }) {
                return Finding(path: file.path, line: 0, what: "'\(time)': time is not a noun")
            }
            return nil
        }
    }

    private static func duplicates(in tree: SourceTree) -> [Finding] {
        let places = Dictionary(grouping: tree.swift.filter { $0.target != nil }, by: \.name)
        return places.values.filter { $0.count > 1 && $0[0].name != "main.swift" }.flatMap { files in
            files.dropFirst().map {
                Finding(path: $0.path, line: 0, what: "the name is taken by \(files[0].path)")
            }
        }.sorted { $0.path < $1.path }
    }

    private static func leftovers(in file: SourceFile) -> [Finding] {
        guard file.name.hasPrefix("Place" + "holder") else { return [] }
        return [Finding(path: file.path, line: 0, what: "left over: the target has files of its own")]
    }
}
