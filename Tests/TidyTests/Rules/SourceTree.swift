import Foundation

/// The project's own files: all but what is built, fetched or kept by git.
struct SourceTree {
    let root: String
    let files: [SourceFile]
    /// Every file and directory, relative to the root: for links.
    let paths: Set<String>

    /// Reads the tree under `root`, a directory that holds Package.swift.
    init(root: String) throws {
        self.root = root
        var paths: Set<String> = ["."]
        var files: [SourceFile] = []
        let walk = FileManager.default.enumerator(atPath: root)
        while let path = walk?.nextObject() as? String {
            let name = path.split(separator: "/").last ?? ""
            if name.hasPrefix(".build") || name == ".git" || name == "Package.resolved" {
                walk?.skipDescendants()
                continue
            }
            paths.insert(path)
            guard SourceFile.isText(path) else { continue }
            let text = try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
            files.append(SourceFile(path: path, text: text))
        }
        self.paths = paths
        self.files = files.sorted { $0.path < $1.path }
    }

    init(files: [SourceFile]) {
        root = ""
        self.files = files
        paths = Set(files.map(\.path))
    }

    var swift: [SourceFile] { files.filter { $0.path.hasSuffix(".swift") } }

    func file(_ path: String) -> SourceFile? {
        files.first { $0.path == path }
    }
}

/// One text file.
struct SourceFile {
    /// Relative to the root.
    let path: String
    let lines: [String]
    /// The lines of Swift with comments and the contents of strings blanked out; otherwise the lines as they are.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        self.lines = lines
        code = path.hasSuffix(".swift") ? SwiftText.code(of: lines) : lines
    }

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// The name of the target it belongs to: the folder below Sources or Tests.
    var target: String? {
        let parts = path.split(separator: "/")
        guard parts.count > 2, parts[0] == "Sources" || parts[0] == "Tests" else { return nil }
        return String(parts[1])
    }

    static func isText(_ path: String) -> Bool {
        let endings = [".swift", ".md", ".c", ".h", ".modulemap", ".service"]
        if path == "Makefile" || endings.contains(where: path.hasSuffix) { return true }
        let isScript = ["scripts/", "bench/", ".ci/"].contains(where: path.hasPrefix)
        return isScript && path != "scripts/tidy" && !path.contains("__pycache__")
    }
}
