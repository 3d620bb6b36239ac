import ArchiveTesting
import Foundation
import Platform
import Testing
import WALFormat
import WALStore

/// A push that is killed, or fails, at any of its system calls leaves nothing half-made, and the next one succeeds.
@Suite(
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .enabled(if: TestEnvironment.hasStrace, TestEnvironment.noStrace)
)
struct PushCrashTests {
    enum Start: String, CaseIterable {
        case empty
        /// As on filesystems where a file cannot be nameless.
        case named
        /// The same is there already.
        case present
        case torn
    }

    @Test(arguments: Start.allCases, ["signal=KILL", "error=EIO", "error=ENOSPC"])
    func struckAtEachSystemCall(start: Start, injection: String) throws {
        try PushFixture.with { fixture in
            let name = fixture.name
            let original = try fixture.original.bytes(of: name)
            let sweep = SyscallSweep(
                arguments: fixture.arguments(name, fixture.asContainer),
                workingDirectory: fixture.data,
                directory: fixture.directory,
                environment: start == .named ? ["PGARCHIVE_FAULT": "newFile.nameless=unsupported"] : [:]
            )
            func reset() throws {
                for file in try fixture.files { try FileManager.default.removeItem(atPath: fixture.stored(file)) }
                if start == .present { try SpoiltFile.write(original, to: fixture.stored(name)) }
                if start == .torn { try SpoiltFile.write(original.prefix(9000), to: fixture.stored(name)) }
            }
            try reset()
            let strikes = try sweep.walk(injection) { strike in
                let place: Comment = "\(strike.call) \(strike.number): \(strike.result)"
                let there = fixture.content(fixture.stored(name))
                if start == .torn {
                    #expect(there == nil || there == original || there == original.prefix(9000), place)
                } else {
                    #expect(there == nil || there == original, place)
                }
                if injection == "signal=KILL" {
                    #expect(strike.result.status == 137, place)
                } else {
                    // Of no other kind than the archiver counts; some calls are no more than a better way.
                    #expect((0...125).contains(strike.result.status), place)
                    if strike.result.status == 0 { #expect(there == original, place) }
                }
                let again = try fixture.push(name, fixture.asContainer)
                #expect(again.status == 0, "\(place) \(again)")
                #expect(fixture.content(fixture.stored(name)) == original, place)
                let left = try fixture.files.filter { $0 != NewFile.workDirectory && !$0.contains(".torn-") }
                #expect(left == ["\(name)"], place)
                try reset()
            }
            #expect(strikes > 10)
        }
    }

    /// As on SMB: PostgreSQL itself takes no notice of that either.
    @Test func aShareWithoutSyncOfDirectoriesWillDo() throws {
        try PushFixture.with { fixture in
            let sweep = SyscallSweep(
                arguments: fixture.arguments(fixture.name),
                workingDirectory: fixture.data,
                directory: fixture.directory
            )
            var statuses: [Int32] = []
            _ = try sweep.walk("error=EINVAL", calls: ["fsync"]) { strike in
                statuses.append(strike.result.status)
                try? FileManager.default.removeItem(atPath: fixture.stored(fixture.name))
            }
            // The file's own syncs must not fail; the last is the directory's.
            #expect(statuses == [1, 1, 0])
        }
    }
}
