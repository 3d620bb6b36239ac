import ArchiveModel
import ArgumentParser

/// The words before a command's own arguments, checked before anything else is looked at.
///
/// ArgumentParser would call a mistyped verb an unexpected argument; here it becomes a suggestion.
enum CommandTree {
    static func check(_ arguments: [String]) throws {
        let isHelp = arguments.first == "help"
        var command: any ParsableCommand.Type = PgArchive.self
        var path = ["pgarchive"]
        for word in isHelp ? arguments.dropFirst() : arguments[...] {
            let children = command.configuration.subcommands
            guard !children.isEmpty, !word.hasPrefix("-") else { return }
            guard let child = children.first(where: { names($0).contains(word) }) else {
                throw unknown(word, path, children, isHelp: isHelp)
            }
            command = child
            path.append(word)
        }
        // A noun alone is no command; the program's name alone asks for help.
        let children = command.configuration.subcommands
        if !children.isEmpty, path.count > 1, !isHelp {
            throw ArchiveError(
                .usage,
                "'\(path.joined(separator: " "))' needs a verb: \(visible(children).joined(separator: ", "))",
                hint: "see '\(path.joined(separator: " ")) --help'"
            )
        }
    }

    private static func names(_ command: any ParsableCommand.Type) -> [String] {
        [command._commandName] + command.configuration.aliases
    }

    private static func visible(_ commands: [any ParsableCommand.Type]) -> [String] {
        commands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
    }

    private static func unknown(
        _ word: String,
        _ path: [String],
        _ children: [any ParsableCommand.Type],
        isHelp: Bool
    ) -> ArchiveError {
        let asked = isHelp ? "pgarchive help\(path.dropFirst().map { " \($0)" }.joined())" : path.joined(separator: " ")
        let prefix = path.joined(separator: " ")
        // A verb without its noun, where only one noun has it.
        let nouns =
            path.count == 1
            ? children.filter { $0.configuration.subcommands.contains { names($0).contains(word) } } : []
        let nearest =
            nouns.count == 1
            ? "\(nouns[0]._commandName) \(word)" : Spelling.nearest(to: word, among: children.flatMap(names))
        return ArchiveError(
            .usage,
            "there is no command '\(prefix) \(word)'",
            hint: nearest.map { "did you mean '\(asked) \($0)'?" }
                ?? "there is: \(visible(children).joined(separator: ", ")); see '\(prefix) --help'"
        )
    }
}
