/// The pages for users name every setting and every command that there is, and none that there is not.
enum Manuals {
    static let settingsSource = "Sources/ArchiveEngine/Container/SettingsFile.swift"
    static let settingsPage = "docs/settings.md"
    static let commandsFolder = "Sources/pgarchive/"
    static let commandsPage = "docs/commands.md"

    static func findings(in tree: SourceTree) -> [Finding] {
        settings(in: tree) + commands(in: tree)
    }

    // MARK: - Settings

    private static func settings(in tree: SourceTree) -> [Finding] {
        guard let source = tree.file(settingsSource), let page = tree.file(settingsPage) else { return [] }
        let known = Set(source.lines.compactMap(key))
        let rows = Set(Table.rows(of: page).compactMap { $0.first.flatMap(Table.code) }.filter(isKey))
        return difference(known, rows, page: page.path, kind: "setting")
    }

    /// `"keep.minimum", .number(…)` → keep.minimum.
    private static func key(_ line: String) -> String? {
        let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
        guard parts.count > 2, parts[0].allSatisfy({ $0 == " " || $0 == "(" }),
            parts[2].hasPrefix(", .")
        else { return nil }
        return String(parts[1])
    }

    private static func isKey(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isLowercase || $0 == "_" || $0 == "." }
    }

    // MARK: - Commands

    private static func commands(in tree: SourceTree) -> [Finding] {
        guard let page = tree.file(commandsPage) else { return [] }
        let known = Set(tree.swift.filter { $0.path.hasPrefix(commandsFolder) }.flatMap(commands))
        guard !known.isEmpty else { return [] }
        var rows: Set<String> = []
        var noun = ""
        for row in Table.rows(of: page) where row.count > 1 {
            if let name = Table.code(row[0]) { noun = name }
            // Several verbs may share a row: `start`, `stop`.
            let verbs = row[1].split(separator: "`").enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
            let names = verbs.flatMap { $0.split(separator: ",") }.compactMap { $0.split(separator: " ").first }
            let own = names.filter { !$0.hasPrefix("[") && !$0.hasPrefix("-") }
            // A noun without verbs is a command itself.
            rows.formUnion(own.isEmpty ? [noun] : own.map { "\(noun) \($0)" })
        }
        return difference(known, rows, page: page.path, kind: "command")
    }

    /// The page names these outside of its table.
    private static let described = ["pgarchive", "bash-completion", "zsh-completion"]

    /// The commands of a noun's folder: its declared names but the noun's own.
    private static func commands(in file: SourceFile) -> [String] {
        let parts = file.path.dropFirst(commandsFolder.count).split(separator: "/")
        guard let folder = parts.first, folder != "Frame" else { return [] }
        let noun = folder == "WALArchive" ? "wal_archive" : folder.lowercased()
        return file.lines.compactMap { line in
            let quoted = line.split(separator: "\"", omittingEmptySubsequences: false)
            guard line.contains("commandName:"), quoted.count > 2, quoted[1] != noun else { return nil }
            if parts.count == 1 { return Self.described.contains(String(quoted[1])) ? nil : String(quoted[1]) }
            return "\(noun) \(quoted[1])"
        }
    }

    private static func difference(_ known: Set<String>, _ rows: Set<String>, page: String, kind: String) -> [Finding] {
        known.subtracting(rows).sorted().map { Finding(path: page, line: 0, what: "does not name the \(kind) '\($0)'") }
            + rows.subtracting(known).sorted().map {
                Finding(path: page, line: 0, what: "names a \(kind) '\($0)' that does not exist")
            }
    }
}
