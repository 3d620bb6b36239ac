import ArchiveEngine
import Platform

/// Commands that a message tells the user to run: where the container had to be named, they name it too.
enum CommandHint {
    /// The message for this run of the program.
    static func complete(_ text: String) -> String {
        guard text.contains("'pgarchive ") else { return text }
        return naming(needed, in: text)
    }

    /// A command to copy, as a line of its own.
    static func command(_ words: String) -> String {
        "pgarchive \(words)" + (needed.map { " --container \(ShellText.word($0))" } ?? "")
    }

    /// Adds `--container` to each quoted command that lacks it.
    static func naming(_ container: String?, in text: String) -> String {
        guard let container else { return text }
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "'pgarchive "),
            let end = rest[start.upperBound...].firstIndex(of: "'")
        {
            let words = rest[start.upperBound..<end].split(separator: " ")
            result += rest[..<end] + (takesContainer(words) ? " --container \(container)'" : "'")
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private static func takesContainer(_ words: [Substring]) -> Bool {
        words.count > 1 && !words.contains("--container") && !words.contains("--help")
            && words.prefix(2) != ["container", "list"]
    }

    /// What the user named the container; nil where it is the only one and need not be named.
    private static var needed: String? {
        guard let selector = GlobalOptions.selector(in: CommandLine.arguments) else { return nil }
        let locator = ContainerLocator(environment: Handover.environment)
        if let all = try? locator.list(), all.count == 1, let root = try? locator.root(of: selector),
            let only = try? FileTree.resolved(all[0].root), (try? FileTree.resolved(root)) == only
        {
            return nil
        }
        return selector
    }
}
