import ArchiveModel
import ArgumentParser
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
        [], ["--help"], ["help"], ["help", "nonsense"], ["bash-completion"], ["bash-completion", "--x"],
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
