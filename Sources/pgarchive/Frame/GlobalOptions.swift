import ArgumentParser

/// What every command understands.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The container's name, or its directory with a slash. (default: $PGARCHIVE, or the only one there is)",
            valueName: "name|dir"
        ),
        completion: .custom { _, _, _ in Completions.containers() }
    )
    var container: String?

    @Option(help: ArgumentHelp("How results are printed.", valueName: "format"))
    var output: OutputFormat = .table

    @Flag(name: [.short, .long], help: "Print less: of lists only the names; no progress, no remarks.")
    var quiet = false

    @Flag(name: [.short, .long], help: "Print more: what a cron job writes to its log.")
    var verbose = false

    func validate() throws {
        if quiet && verbose { throw ValidationError("--quiet and --verbose exclude each other") }
    }

    var render: Render { Render(format: output, isQuiet: quiet, isVerbose: verbose) }

    /// What the user calls the container; nil means the only one there is.
    var selector: String? {
        if let container { return container }
        let given = Terminal.environment("PGARCHIVE") ?? ""
        return given.isEmpty ? nil : given
    }

    /// Takes the options that every command has out of a usage line, where they hide what matters.
    static func shortened(usage: String) -> String {
        usage.replacing(" [--container <name|dir>] [--output <format>] [--quiet] [--verbose]", with: " [<options>]")
    }

    /// Global options before the verb are moved behind it, where they are declared.
    ///
    /// `pgarchive --container prod clone list` is what many type first.
    static func moved(behindVerb arguments: [String]) -> [String] {
        var options: [String] = []
        var words: [String] = []
        var rest = arguments[...]
        while let next = rest.first, words.count < 2 {
            rest = rest.dropFirst()
            if ["--container", "--output"].contains(next), let value = rest.first {
                options += [next, value]
                rest = rest.dropFirst()
            } else if next.hasPrefix("--container=") || next.hasPrefix("--output=")
                || ["--quiet", "--verbose", "-q", "-v"].contains(next)
            {
                options.append(next)
            } else if next.hasPrefix("-") || next == "help" {
                return arguments
            } else {
                words.append(next)
                // There is one kind of status and of dashboard only.
                if words == ["status"] || words == ["dashboard"] { words.insert("container", at: 0) }
            }
        }
        let (container, others) = words.last == "psql" ? containerOption(in: rest) : ([], Array(rest))
        return words + options + container + others
    }

    /// Finds `--container` among psql's arguments: psql has no such option, and many write it at the end.
    private static func containerOption(in arguments: ArraySlice<String>) -> (option: [String], others: [String]) {
        let own = arguments.prefix { $0 != "--" }
        guard let at = own.firstIndex(where: { $0 == "--container" || $0.hasPrefix("--container=") }) else {
            return ([], Array(arguments))
        }
        let end = min(arguments.endIndex, at + (own[at] == "--container" ? 2 : 1))
        return (Array(arguments[at..<end]), Array(arguments[..<at] + arguments[end...]))
    }
}
