import ArgumentParser
import Testing

@testable import pgarchive

/// Which words of `psql` and `dump` are ours.
struct LookOptionsTests {
    @Test(arguments: [
        ("dump --before-drop a.b -tinvoices shop", "dump --before-drop a.b -- -tinvoices shop"),
        ("dump -vFc --at=now -q -v shop", "dump --at=now -- -vFc -q -v shop"),
        ("dump -t orders --latest -- --snapshot=Y shop", "dump --latest -- -t orders --snapshot=Y shop"),
        ("psql --container x --keep 2 shop -c --", "psql --container x --keep 2 -- shop -c"),
        ("psql", "psql --"),
        ("clone psql look -c x", "clone psql look -c x"),
    ])
    func separated(given: String, wanted: String) throws {
        let words = LookOptions.separated(given.split(separator: " ").map(String.init))
        #expect(words == wanted.split(separator: " ").map(String.init))
    }

    /// None that the parser knows is forgotten.
    @Test func everyOptionIsKnown() {
        let shown = DumpCommand.helpMessage().split(whereSeparator: { " ,/\n[]".contains($0) })
            .filter { $0.hasPrefix("--") && $0.count > 2 }
            .map { String($0.prefix { $0.isLetter || $0 == "-" }) }
        let known = LookOptions.flags.union(LookOptions.valued)
        #expect(shown.count > 15)
        for option in shown { #expect(known.contains(option), "\(option)") }
    }

    @Test func theProgramGetsTheRest() throws {
        let words = LookOptions.separated(["dump", "--latest", "-tinvoices", "-qv", "shop"])
        let command = try #require(try PgArchive.parseAsRoot(words) as? DumpCommand)
        #expect(command.arguments == ["-tinvoices", "-qv", "shop"])
        #expect(command.look.target.latest)
    }
}
