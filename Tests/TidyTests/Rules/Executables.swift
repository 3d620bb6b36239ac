import Foundation

/// Scripts begin with what runs them, and may be run.
enum Executables {
    static func findings(in tree: SourceTree) -> [Finding] {
        let folders = ["scripts/", "bench/", ".ci/"]
        let scripts = tree.files.filter { file in
            folders.contains { file.path.hasPrefix($0) } && !file.name.contains(".")
        }
        return scripts.flatMap { file -> [Finding] in
            var findings: [Finding] = []
            if file.lines.first?.hasPrefix("#!/") != true {
                findings.append(Finding(path: file.path, line: 1, what: "begins without '#!'"))
            }
            if !tree.root.isEmpty, !FileManager.default.isExecutableFile(atPath: "\(tree.root)/\(file.path)") {
                findings.append(Finding(path: file.path, line: 0, what: "is not executable: chmod +x"))
            }
            return findings
        }
    }
}
