import ArchiveModel
import ArchiveTesting
import Foundation
import Testing

@testable import pgarchive

/// The built program as a shell sees it.
struct ProgramTests {
    private func run(_ words: [String], _ environment: [String: String] = [:], input: String? = nil) throws
        -> CommandResult
    {
        try TestDirectory.with { directory in
            var command = TestCommand(
                try BuiltPrograms.pgarchive(),
                words,
                environment: ["PGARCHIVE_HOME": directory.path].merging(environment) { $1 }
            )
            command.input = input
            return try command.run()
        }
    }

    private func shell(_ script: String) throws -> CommandResult {
        try TestDirectory.with { directory in
            try TestCommand(
                "/bin/bash",
                ["-c", script],
                environment: [
                    "PGARCHIVE_HOME": directory.path, "PATH": "\(try BuiltPrograms.directory()):/usr/bin:/bin",
                ]
            ).run()
        }
    }

    @Test func theVersionAndTheHelpGoToStandardOutput() throws {
        let version = try run(["--version"])
        #expect(version.status == 0 && version.output == "pgarchive \(ProgramVersion.text)\n" && version.error.isEmpty)
        for words in [["--help"], ["help"], ["clone", "--help"], ["help", "clone", "create"], []] {
            let help = try run(words)
            #expect(help.status == 0 && help.output.contains("USAGE:") && help.error.isEmpty, "\(help)")
        }
    }

    static let wrong: [([String], Int32)] = [
        (["clone"], Int32(2)), (["nonsense"], 2), (["clone", "lst"], 2), (["clone", "list", "--bogus"], 2),
        (["clone", "list"], 6), (["container", "status", "--container", "x"], 6), (["container", "init"], 2),
        (["container", "init", "--container", "x", "--pool-size", "big"], 2),
        (["container", "init", "--container", "x", "--pool-size", "1M"], 2), (["help", "clone", "nosuch"], 2),
        (["container", "list", "--container", "x"], 2), (["clone", "stop", "a", "-t", "0"], 2),
        (["wal_archive", "receive", "-D", "/tmp/x", "-d", "host=x", "--container", "x"], 2),
        (["cron", "compress-wal-archive", "0"], 2), (["container", "purge", "--container", "/tmp"], 6),
        (["wal_archive", "receive", "-D", "/nonexistent"], 1), (["wal_archive", "receive", "-S", "x"], 2),
        (["clone", "stop", "a", "--all"], 2), (["clone", "list", "-q", "-v"], 2), (["--container"], 2),
    ]

    @Test(arguments: wrong)
    func errorsSayWhatAndWhatToDo(_ words: [String], _ status: Int32) throws {
        let result = try run(words)
        #expect(result.status == status, "\(result)")
        #expect(result.error.hasPrefix("error: "), "\(result)")
        #expect(result.error.contains("\nhint: "), "\(result)")
        #expect(result.output.isEmpty)
    }

    @Test func anEmptyHomeIsNoError() throws {
        #expect(try run(["container", "list"]).status == 0)
        #expect(try run(["container", "list", "--output", "json"]).output.filter { !$0.isWhitespace } == "[]")
        #expect(try run(["container", "list", "--quiet"]).output.isEmpty)
    }

    @Test func colourIsForTerminalsOnly() throws {
        #expect(!(try run(["nonsense"]).error.contains("\u{1B}")))
        #expect(try shell("script -qec 'pgarchive nonsense' /dev/null").output.contains("\u{1B}[31m"))
        #expect(!(try shell("NO_COLOR=1 script -qec 'pgarchive nonsense' /dev/null").output.contains("\u{1B}[31m")))
    }

    @Test func aReaderThatGoesAwayIsNoError() throws {
        let result = try shell("set -o pipefail; pgarchive --help | true; echo ${PIPESTATUS[0]}")
        #expect(result.text == "0" && result.error.isEmpty, "\(result)")
    }

    @Test func aFullDiskIsSaid() throws {
        let result = try shell("pgarchive --help >/dev/full")
        #expect(result.status == 1 && result.error.contains("No space left"), "\(result)")
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/zsh"), "zsh is not installed"))
    func zshTakesItsScript() throws {
        let result = try shell(
            "pgarchive zsh-completion > $PGARCHIVE_HOME/z; zsh -fn $PGARCHIVE_HOME/z && zsh -fc "
                + "'autoload -U compinit; compinit -u -D; source $PGARCHIVE_HOME/z; echo $_comps[pgarchive]'"
        )
        #expect(result.text == "_pgarchive" && result.error.isEmpty, "\(result)")
    }

    /// The script is valid, and completes nouns, verbs and options in a shell.
    @Test func bashCompletes() throws {
        let result = try shell(
            """
            eval "$(pgarchive bash-completion)"
            complete -p pgarchive
            COMP_WORDS=(pgarchive clone st) COMP_CWORD=2 COMP_LINE='pgarchive clone st' COMP_POINT=18
            _pgarchive pgarchive st clone
            echo "${COMPREPLY[@]}"
            """
        )
        #expect(result.output.contains("complete -"), "\(result)")
        #expect(result.output.contains("start") && result.output.contains("stop"), "\(result)")
        #expect(result.output.contains("status"), "\(result)")
    }

    @Test(arguments: [
        ("sys", ["system"]), ("da", ["dashboard"]), ("system st", ["start", "stop", "status"]), ("wal re", ["receive"]),
        ("help clo", ["clone"]), ("help clone du", ["duplicate"]), ("help system dash", ["dashboard"]),
        ("status --q", ["--quiet"]), ("dashboard --li", ["--lines"]),
    ])
    func bashCompletesOtherWords(_ words: String, _ expected: [String]) throws {
        let result = try shell(
            """
            eval "$(pgarchive bash-completion)"
            COMP_WORDS=(pgarchive \(words)) COMP_LINE='pgarchive \(words)'
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_POINT=${#COMP_LINE}
            _pgarchive_other_words pgarchive "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}"
            """
        )
        #expect(Set(result.text.split(separator: " ").map(String.init)) == Set(expected), "\(result)")
    }
}
