import ArchiveEngine
import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// What the names and times of pushed files tell.
struct PushedWALTests {
    /// Files in the order in which they came; what `status` says of them.
    private func alarm(_ files: [String]) throws -> String? {
        try TestDirectory.with { directory in
            let container = try ContainerFixture.container(in: directory)
            let archive = try directory.subdirectory("wal_archive")
            for (index, file) in files.enumerated() {
                // Timeline 1 was left within its segment 4.
                try Data("1\t0/480000\tno recovery target specified\n".utf8)
                    .write(to: URL(fileURLWithPath: "\(archive)/\(file)"))
                let came = Date(timeIntervalSince1970: 1_800_000_000 + Double(index))
                try FileManager.default.setAttributes([.modificationDate: came], ofItemAtPath: "\(archive)/\(file)")
            }
            return try PushedWAL(container).alarm
        }
    }

    private func segments(_ timeline: Int, _ numbers: ClosedRange<Int>) -> [String] {
        numbers.map { "\(SegmentName(timeline: TimelineID(UInt32(timeline)), number: UInt64($0), size: .standard))" }
    }

    @Test func aFailoverIsNoAlarm() throws {
        try #expect(alarm(segments(1, 1...6)) == nil)
        // The old primary had more, and the new one goes on; or has nothing yet.
        try #expect(alarm(segments(1, 1...6) + ["00000002.history"]) == nil)
        try #expect(alarm(segments(1, 1...6) + ["00000002.history"] + segments(2, 4...5)) == nil)
        // What was missing before the fork comes later.
        try #expect(alarm(segments(1, 1...2) + ["00000002.history"] + segments(2, 4...5) + segments(1, 3...3)) == nil)
    }

    @Test func aTimelineThatGoesOnAfterItWasLeftIsOne() throws {
        let copy = ["00000002.history"]
        for files in [
            segments(1, 1...6) + copy + segments(1, 7...7),
            segments(1, 1...6) + copy + segments(2, 4...5) + segments(1, 7...7),
        ] {
            let alarm = try alarm(files)
            #expect(alarm?.contains("000000010000000000000007 came after timeline 2") == true, "\(alarm ?? "none")")
        }
    }
}
