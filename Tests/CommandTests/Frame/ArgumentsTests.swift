import ArchiveModel
import ArgumentParser
import Glibc
import Platform
import Testing

@testable import pgarchive

struct ArgumentsTests {
    @Test(arguments: [
        (["clone", "list"], ["clone", "list"]),
        (["--container", "prod", "clone", "list"], ["clone", "list", "--container", "prod"]),
        (["--container=prod", "clone", "-q", "list", "x"], ["clone", "list", "--container=prod", "-q", "x"]),
        (["clone", "start", "look", "--container", "x"], ["clone", "start", "look", "--container", "x"]),
        (
            ["clone", "psql", "look", "-c", "a", "--container", "x"],
            ["clone", "psql", "--container", "x", "look", "-c", "a"]
        ),
        (["standby", "psql", "shop", "--container=x"], ["standby", "psql", "--container=x", "shop"]),
        (["clone", "psql", "look", "--", "--container", "x"], ["clone", "psql", "look", "--", "--container", "x"]),
        (["status"], ["container", "status"]),
        (["-q", "dashboard", "--container", "x"], ["container", "dashboard", "-q", "--container", "x"]),
        (["snapshot", "status"], ["snapshot", "status"]),
        (["--version"], ["--version"]),
        (["clone", "--help"], ["clone", "--help"]),
        (["help", "clone"], ["help", "clone"]),
        (["help", "status"], ["help", "container", "status"]),
        (["--container"], ["--container"]),
        ([], []),
    ])
    func globalOptionsMoveBehindTheVerb(_ given: [String], _ expected: [String]) {
        #expect(GlobalOptions.moved(behindVerb: given) == expected)
    }

    @Test func aMistypedWordIsAnsweredWithTheNearest() throws {
        let error = try #require(throws: ArchiveError.self) { try CommandTree.check(["bash-completio"]) }
        #expect(error.code == .usage)
        #expect(error.hint == "did you mean 'pgarchive bash-completion'?")
    }

    @Test(arguments: [
        (["help", "nosuch"], nil), (["help", "snapshots"], "did you mean 'pgarchive help snapshot'?"),
        (["help", "clone", "lst"], "did you mean 'pgarchive help clone list'?"),
        // Only one noun has the verb.
        (["events", "--table", "x"], "did you mean 'pgarchive wal_archive events'?"), (["list"], nil),
    ])
    func helpOnWhatIsNoCommandIsRefused(_ words: [String], _ hint: String?) throws {
        let error = try #require(throws: ArchiveError.self) { try CommandTree.check(words) }
        #expect(error.code == .usage)
        if let hint { #expect(error.hint == hint) } else { #expect(error.hint?.contains("there is: ") == true) }
    }

    @Test(arguments: [
        ("'pgarchive clone start x' starts it", "'pgarchive clone start x --container p' starts it"),
        (
            "'pgarchive container list' shows them; 'pgarchive container purge' removes it",
            "'pgarchive container list' shows them; 'pgarchive container purge --container p' removes it"
        ),
        ("'pgarchive snapshot list --container q'", "'pgarchive snapshot list --container q'"),
        ("don't run 'pgarchive' or 'ls'", "don't run 'pgarchive' or 'ls'"),
        ("an open 'pgarchive clone list", "an open 'pgarchive clone list"),
    ])
    func hintsNameTheContainer(_ text: String, _ expected: String) {
        #expect(CommandHint.naming("p", in: text) == expected)
        #expect(CommandHint.naming(nil, in: text) == text)
    }

    @Test(arguments: [
        (EACCES, "may not"), (EPERM, "may not"), (ENOSPC, "snapshot expire"), (EDQUOT, "snapshot expire"),
        (EROFS, "read-only"), (EIO, "dmesg"), (ENOENT, "mounted"), (EMFILE, "ulimit -n"), (ENOMEM, "memory"),
        (EBUSY, "fuser"), (ENAMETOOLONG, "shorter"),
    ])
    func aFailedSystemCallHasAHint(_ number: Int32, _ word: String) {
        let failure = Failure(SystemError(call: "open", errno: number, path: "/proc/1/no/such"))
        #expect(failure.what.hasPrefix("cannot open /proc/1/no/such: ") && failure.exitCode == 1)
        #expect(failure.hint?.contains(word) == true, "\(failure.text)")
    }

    /// Spelled as for pg_ctl, for clones as for the standby.
    @Test(
        arguments: [
            ([], nil, false), (["-w"], nil, false), (["-t", "5"], 5, true), (["-w", "-t", "5"], 5, true),
            (["-W"], 0, true),
            (["--timeout", "1"], 1, true),
        ] as [([String], Double?, Bool)]
    )
    func clonesAreWaitedForAsLongAsTold(_ words: [String], _ seconds: Double?, _ isLimited: Bool) throws {
        let waits = [
            try CloneStartCommand.parse(["look"] + words).wait, try CloneStopCommand.parse(["--all"] + words).wait,
            try CloneRestartCommand.parse(["look", "-m", "smart"] + words).wait,
        ]
        for wait in waits { #expect(wait.seconds == seconds && wait.isLimited == isLimited) }
    }

    @Test(arguments: [["-W", "-t", "5"], ["-W", "-w"], ["-t", "0"], ["-t", "soon"]])
    func whatContradictsItselfIsRefused(_ words: [String]) {
        #expect(throws: (any Error).self) { try CloneStartCommand.parse(["look"] + words) }
    }

    /// Their output is not pgarchive's: the options for that are taken, and not offered.
    @Test func whatMeansNothingIsNotOffered() throws {
        #expect(try CloneLogCommand.parse(["look", "--quiet", "--container", "c"]).global.selector == "c")
        for help in [
            CloneLogCommand.helpMessage(), StandbyPsqlCommand.helpMessage(), ContainerRunCommand.helpMessage(),
        ] {
            #expect(help.contains("--container") && !help.contains("--output") && !help.contains("--quiet"), "\(help)")
        }
    }

    @Test func bothFormsOfCloneCreateAreShown() throws {
        let error = try #require(throws: (any Error).self) { try CloneCreateCommand.parse(["look"]) }
        let text = Failure(error).text
        #expect(text.contains("\n  usage: pgarchive clone create <name> --at"), "\(text)")
        #expect(text.contains("\n         pgarchive clone create <snapshot> <name>"), "\(text)")
    }

    @Test(arguments: [
        ("OVERVIEW: a\n\nlong\n\nUSAGE: p\n\nOPTIONS:\n", "OVERVIEW: a\n\nUSAGE: p\n\nlong\n\nOPTIONS:\n"),
        ("OVERVIEW: a\n\nUSAGE: p\n\nOPTIONS:\n", "OVERVIEW: a\n\nUSAGE: p\n\nOPTIONS:\n"),
        ("pgarchive 1\n", "pgarchive 1\n"), ("", ""),
    ])
    func usageFollowsTheAbstract(_ help: String, _ expected: String) {
        #expect(GlobalOptions.usageFirst(help) == expected)
    }

    @Test(arguments: [
        [], ["--help"], ["help"], ["help", "clone"], ["help", "system", "init"], ["bash-completion"],
        ["bash-completion", "--x"],
    ])
    func everythingElseIsLeftToTheParser(_ arguments: [String]) throws {
        try CommandTree.check(arguments)
    }

    @Test func errorsHaveOneForm() {
        let failure = Failure(ArchiveError(.refused, "no", hint: "do this", details: ["because", "of that"]))
        #expect(failure.text == "error: no\n  because\n  of that\nhint: do this\n")
        #expect(failure.exitCode == 4)
    }

    @Test func theParsersErrorsHaveTheSameForm() throws {
        let error = try #require(throws: (any Error).self) { try PgArchive.parseAsRoot(["bash-completion", "--x"]) }
        #expect(
            Failure(error).text == """
                error: unknown option '--x'
                  usage: pgarchive bash-completion
                hint: see 'pgarchive bash-completion --help'

                """
        )
        #expect(Failure(error).exitCode == 2)
    }
}
