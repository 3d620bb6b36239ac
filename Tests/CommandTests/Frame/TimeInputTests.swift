import ArchiveModel
import Platform
import Testing
import WALFormat

@testable import pgarchive

struct TimeInputTests {
    @Test func epochsAndIsoAreExact() throws {
        #expect(try TimeInput.resolve("@0").description == "1970-01-01T00:00:00.000000Z")
        #expect(try TimeInput.resolve("@-1.5").description == "1969-12-31T23:59:58.500000Z")
        #expect(try TimeInput.resolve("2026-11-21 08:50:00.123456+01:00").description == "2026-11-21T07:50:00.123456Z")
        #expect(try TimeInput.resolve("2026-11-21T08:50:00Z").description == "2026-11-21T08:50:00.000000Z")
    }

    @Test func relativeTermsCountFromNow() throws {
        let before = SystemClock.now()
        let time = try TimeInput.resolve("10 minutes ago").unixMicroseconds
        #expect(abs(before - 600_000_000 - time) < 5_000_000)
    }

    /// Texts that a shell, or date's own options, could take for something else.
    @Test(arguments: [
        "", "  ", "\t\n", "rubbish", "--help", "-", "$(id)", "`id`", "; id", "2026-13-45", "25:99",
        "yesterday\0x",
        "@99999999999999999999", "@9999999999999999", "éternité", "\"",
    ])
    func whatIsNoTimeIsAUsageError(_ text: String) throws {
        let error = try #require(throws: ArchiveError.self) { try TimeInput.resolve(text) }
        #expect(error.code == .usage)
        #expect(error.hint != nil)
    }

    @Test(arguments: ["", "1", "1 2 3", "a b", "9224318016001 0", "-210866803201 0"])
    func outputThatIsNotUnderstoodIsNoTime(_ output: String) {
        #expect(TimeInput.parse(output) == nil)
    }
}
