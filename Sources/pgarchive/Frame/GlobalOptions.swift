import ArgumentParser

/// How results are shown.
struct OutputOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How results are printed.", valueName: "format"))
    var output: OutputFormat = .table

    @Flag(name: [.short, .long], help: "Print less: of lists only the names; no progress, no remarks.")
    var quiet = false

    @Flag(
        name: [.short, .long],
        help: "Print more: which container is meant, how long each step took, what a cron job logs."
    )
    var verbose = false

    func validate() throws {
        if quiet && verbose { throw ValidationError("--quiet and --verbose exclude each other") }
    }

    var render: Render { Render(format: output, isQuiet: quiet, isVerbose: verbose) }
}

/// Which container is meant.
struct ContainerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The container's name, or its directory with a slash. (default: $PGARCHIVE, or the only one there is)",
            valueName: "name|dir"
        ),
        completion: .custom { _, _, _ in Completions.containers() }
    )
    var container: String?
}

/// What every command on a container understands.
protocol CommonOptions: ParsableArguments {
    var containerOptions: ContainerOptions { get }
    /// How results are shown.
    var render: Render { get }
}

extension CommonOptions {
    var output: OutputFormat { render.format }
    var quiet: Bool { render.isQuiet }
    var verbose: Bool { render.isVerbose }

    /// What the user calls the container; nil means the only one there is.
    var selector: String? { containerOptions.container ?? GlobalOptions.environmentSelector }
}

/// Of commands whose output is another program's, or a log's: how results are shown is taken, and means nothing.
struct PassingOptions: CommonOptions {
    @OptionGroup var containerOptions: ContainerOptions

    @OptionGroup(visibility: .hidden) var outputOptions: OutputOptions

    var render: Render { outputOptions.render }
}

struct GlobalOptions: CommonOptions {
    @OptionGroup var containerOptions: ContainerOptions

    @OptionGroup var outputOptions: OutputOptions

    var render: Render { outputOptions.render }

    fileprivate static var environmentSelector: String? {
        let given = Terminal.environment("PGARCHIVE") ?? ""
        return given.isEmpty ? nil : given
    }

    /// The same from words that are not parsed: of a completion, or of a command line that was refused.
    static func selector(in words: [String]) -> String? {
        let own = words.prefix { $0 != "--" }
        for (index, word) in own.enumerated() {
            if word == "--container", index + 1 < own.count { return own[index + 1] }
            if word.hasPrefix("--container=") { return String(word.dropFirst("--container=".count)) }
        }
        return environmentSelector
    }

    /// Takes the options that every command has out of a usage line, where they hide what matters.
    static func shortened(usage: String) -> String {
        usage.replacing(" [--container <name|dir>] [--output <format>] [--quiet] [--verbose]", with: " [<options>]")
            .replacing(" [--output <format>] [--quiet] [--verbose]", with: " [<options>]")
    }

    /// Puts USAGE directly behind the abstract: it should not have to be looked for below a long text.
    static func usageFirst(_ help: String) -> String {
        guard let abstractEnd = help.firstRange(of: "\n\n"), let usage = help.firstRange(of: "\n\nUSAGE: "),
            abstractEnd.lowerBound < usage.lowerBound
        else { return help }
        let end = help[usage.upperBound...].firstRange(of: "\n\n")?.lowerBound ?? help.endIndex
        return String(help[..<abstractEnd.lowerBound]) + help[usage.lowerBound..<end]
            + help[abstractEnd.lowerBound..<usage.lowerBound] + help[end...]
    }

    /// Global options before the verb are moved behind it, where they are declared.
    ///
    /// `pgarchive --container prod clone list` is what many type first.
    static func moved(behindVerb arguments: [String]) -> [String] {
        if arguments.first == "help", arguments.count > 1 {
            return ["help"] + moved(behindVerb: Array(arguments.dropFirst()))
        }
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
