import ArchiveTesting
import Foundation
import Testing

/// The program's arguments and exit statuses.
@Suite struct WALHelperTests {
    private func run(_ arguments: [String]) throws -> CommandResult {
        try TestCommand(try BuiltPrograms.pgarchiveWAL(), arguments).run()
    }

    @Test func tellsItsVersionAndItsUse() throws {
        let version = try run(["--version"])
        #expect(version.status == 0)
        #expect(version.text.hasPrefix("pgarchive-wal "))
        for arguments in [["--help"], ["-h"], ["help"], ["fetch", "--help"]] {
            let help = try run(arguments)
            #expect(help.status == 0)
            #expect(help.output.contains("EXIT STATUS"))
        }
    }

    @Test(arguments: [
        [], ["fecth"], ["-x"], ["fecth", "--archive", "/tmp", "a", "b"], ["--help", "fetch"], ["--version", "a", "b"],
    ])
    func unknownCommandsAbortRecovery(arguments: [String]) throws {
        let result = try run(arguments)
        #expect(result.status == 200)
        #expect(result.error.hasPrefix("error: "))
        #expect(result.error.contains("\nhint: "))
    }

    /// A restore_command with a mistake in it must not look like the end of the archive.
    @Test(arguments: [
        [], ["a"], ["a", "b", "c"], ["--archive", "/tmp", "a"], ["--archive"],
        ["--wat", "--archive", "/tmp", "a", "b"], ["--help", "--archive", "/tmp", "a", "b"],
        ["--archive", "/tmp", "a", "b", "-h"],
        ["a", "b"], ["--archive", "", "a", "b"], ["--archive", "/a", "--archive", "/b", "a", "b"],
        ["--archive", "/tmp", "--until", "here", "a", "b"], ["--archive", "/tmp", "--until", "0/", "a", "b"],
        ["--archive", "/tmp", "--path", "2,1", "a", "b"], ["--archive", "/tmp", "--segment-size", "16MB", "a", "b"],
        ["--archive", "/tmp", "--segment-size=3000000", "a", "b"],
        ["--archive=/tmp", "--wait", "--until=0/1", "a", "b"],
        ["--archive", "/tmp", "--system-identifier", "-1", "a", "b"],
    ])
    func wrongOptionsAbortRecovery(arguments: [String]) throws {
        let result = try run(["fetch"] + arguments)
        #expect(result.status == 200)
        #expect(result.error.hasPrefix("error: "))
        #expect(result.error.contains("\nhint: "))
    }

    @Test func namesBeginningWithADashAreNamesAfterTwoDashes() throws {
        let result = try run(["fetch", "--archive", "/tmp", "--", "-rf", "/nowhere"])
        #expect(result.status == 200)
        #expect(result.error.contains("-rf"))
    }

    @Test func aClosedErrorChannelDoesNotKillIt() throws {
        let program = try BuiltPrograms.pgarchiveWAL()
        let result = try TestCommand(
            "/bin/bash",
            ["-c", "'\(program)' fetch --archive /tmp nonsense x 2> >(exec 0<&-; true); echo $?"]
        ).run()
        #expect(result.text == "200")
    }
}
