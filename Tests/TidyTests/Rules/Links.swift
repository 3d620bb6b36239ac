/// Links between the documents lead somewhere: to a file that exists, and to a heading in it.
enum Links {
    static func findings(in tree: SourceTree) -> [Finding] {
        let documents = tree.files.filter { $0.path.hasSuffix(".md") }
        let headings = Dictionary(uniqueKeysWithValues: documents.map { ($0.path, anchors(in: $0)) })
        return documents.flatMap { document in
            prose(of: document).flatMap { number, line in
                targets(in: line).compactMap { target in
                    fault(target, in: document, tree: tree, headings: headings).map {
                        Finding(path: document.path, line: number, what: $0)
                    }
                }
            }
        }
    }

    private static func fault(
        _ target: String,
        in document: SourceFile,
        tree: SourceTree,
        headings: [String: Set<String>]
    ) -> String? {
        if target.contains("://") || target.hasPrefix("mailto:") { return nil }
        let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let path = parts[0].isEmpty ? document.path : resolve(parts[0], from: document.path)
        guard let path, tree.paths.contains(path) else { return "dead link: \(target)" }
        guard parts.count == 2 else { return nil }
        guard let anchors = headings[path], anchors.contains(parts[1]) else { return "no such heading: \(target)" }
        return nil
    }

    /// A path relative to the document, as one relative to the root; nil when it leaves the tree.
    private static func resolve(_ target: String, from document: String) -> String? {
        var parts = document.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(String(part))
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.isEmpty ? "." : parts.joined(separator: "/")
    }

    /// What stands in `](…)`.
    static func targets(in line: String) -> [String] {
        line.split(separator: "](", omittingEmptySubsequences: false).dropFirst().compactMap {
            guard let end = $0.firstIndex(of: ")") else { return nil }
            return $0[..<end].split(separator: " ").first.map(String.init)
        }
    }

    /// The lines outside of code blocks, with their numbers, counted from 1.
    private static func prose(of document: SourceFile) -> [(Int, String)] {
        var isCode = false
        return document.lines.enumerated().compactMap { number, line in
            if line.hasPrefix("```") { isCode.toggle() }
            return isCode ? nil : (number + 1, line)
        }
    }

    /// Headings as the usual Markdown hosts name them: lower case, spaces as dashes, punctuation dropped.
    private static func anchors(in document: SourceFile) -> Set<String> {
        Set(prose(of: document).map(\.1).filter { $0.hasPrefix("#") }.map(anchor))
    }

    private static func anchor(_ heading: String) -> String {
        let title = heading.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
        let kept = title.filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
        return kept.replacing(" ", with: "-")
    }
}
