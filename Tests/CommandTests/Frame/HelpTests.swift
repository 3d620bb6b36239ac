import ArgumentParser
import Foundation
import Platform
import Testing

@testable import pgarchive

/// Every command's help, compared with files in `Golden`; UPDATE_GOLDEN=1 writes them anew.
struct HelpTests {
    static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Golden")

    /// The nouns with their verbs; the commands without a verb under the program's own name.
    private static var pages: [(name: String, commands: [(title: String, type: any ParsableCommand.Type)])] {
        let children = PgArchive.configuration.subcommands
        let single = children.filter { $0.configuration.subcommands.isEmpty }
        var pages = [
            (
                name: "pgarchive",
                commands: [("pgarchive", PgArchive.self as any ParsableCommand.Type)]
                    + single.map { ("pgarchive \($0._commandName)", $0) }
            )
        ]
        for noun in children where !noun.configuration.subcommands.isEmpty {
            let name = noun._commandName
            let verbs = noun.configuration.subcommands.map { ("pgarchive \(name) \($0._commandName)", $0) }
            pages.append((name: name, commands: [("pgarchive \(name)", noun)] + verbs))
        }
        return pages
    }

    private static func page(_ name: String) throws -> String {
        let commands = try #require(pages.first { $0.name == name }).commands
        return commands.map { title, type in
            let text = GlobalOptions.shortened(usage: PgArchive.helpMessage(for: type, columns: 100))
            let help = GlobalOptions.usageFirst(text)
            return "==== \(title) --help\n\(help)\n"
        }.joined(separator: "\n")
    }

    @Test(arguments: HelpTests.pages.map(\.name))
    func matchesTheGoldenFile(_ name: String) throws {
        let file = Self.golden.appending(path: "\(name).help.txt")
        let page = try Self.page(name)
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try DurableFile.replace(file.path, text: page, mode: 0o644)
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(page == expected, "UPDATE_GOLDEN=1 swift test --filter HelpTests writes \(file.path) anew")
    }

    @Test(arguments: HelpTests.pages.map(\.name))
    func everyCommandSaysWhatItIs(_ name: String) throws {
        for (title, type) in try #require(Self.pages.first { $0.name == name }).commands {
            #expect(type.configuration.abstract.count > 10, "\(title)")
            #expect(type.configuration.discussion.count > 15, "\(title)")
        }
    }

    /// Lists and examples are not wrapped on the narrowest usual terminal, where they would lose their shape.
    @Test(arguments: HelpTests.pages.map(\.name))
    func listsFitTheTerminal(_ name: String) throws {
        for (title, type) in try #require(Self.pages.first { $0.name == name }).commands {
            for line in type.configuration.discussion.split(separator: "\n") where line.hasPrefix("  ") {
                #expect(line.count < 80, "\(title): \(line)")
            }
        }
    }

    /// What a help text shows as an example, the parser accepts.
    @Test(arguments: HelpTests.pages.map(\.name))
    func examplesParse(_ name: String) throws {
        for (title, type) in try #require(Self.pages.first { $0.name == name }).commands {
            for line in type.configuration.discussion.split(separator: "\n") where line.hasPrefix("  pgarchive ") {
                for words in Self.commandLines(String(line)) {
                    let command = LookOptions.separated(words)
                    #expect(throws: Never.self, "\(title): \(line)") {
                        try CommandTree.check(command)
                        _ = try PgArchive.parseAsRoot(command)
                    }
                }
            }
        }
    }

    /// The words of each pgarchive in a shell's line.
    private static func commandLines(_ line: String) -> [[String]] {
        var commands: [[String]] = []
        var words: [String] = []
        var word = ""
        var quote: Character?
        func endWord() {
            if !word.isEmpty { words.append(word) }
            word = ""
        }
        for character in line + " " {
            if let open = quote {
                if character == open { quote = nil } else { word.append(character) }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == " " {
                endWord()
            } else {
                word.append(character)
            }
        }
        for part in words.split(whereSeparator: { ["&&", "|", "||"].contains($0) }) {
            let ours = part.drop { $0.contains("=") && !$0.hasPrefix("-") }
            guard ours.first == "pgarchive" else { continue }
            commands.append(Array(ours.dropFirst()))
        }
        return commands
    }
}
