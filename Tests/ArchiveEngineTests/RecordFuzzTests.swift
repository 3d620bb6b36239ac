import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Platform
import Testing
import WALFormat

/// Settings and records with any content: an error that says so, or values that harm nobody.
@Suite struct RecordFuzzTests {
    @Test func settings() throws {
        var random = SeededGenerator(seed: 31)
        var settings = Settings()
        settings.upstream = "host=db1 password='it''s \"quoted\" \\ and #hash'"
        let intact = SettingsFile.text(settings)
        for _ in 0..<1500 {
            let text = mutated(intact, &random)
            do {
                let read = try SettingsFile.parse(text, path: "x")
                // What was accepted can be written and read again.
                #expect(try SettingsFile.parse(SettingsFile.text(read), path: "x") == read, "\(text)")
            } catch let error as ArchiveError {
                #expect(!error.what.isEmpty)
            }
        }
    }

    /// What was edited, torn or spoilt is listed as damaged, or its values are taken as they are.
    @Test func snapshotsAndClones() throws {
        try TestDirectory.with { directory in
            let container = try ContainerFixture.container(in: directory)
            var random = SeededGenerator(seed: 32)
            let snapshot = container.paths.snapshot("one")
            let clone = container.paths.clone("one")
            for path in [snapshot.directory, clone.directory, container.paths.walArchive] {
                try FileTree.makeDirectory(path, mode: 0o700, parents: true)
            }
            for name in ["000000010000000000000001", "0000000100000000000000FF"] {
                write("", to: "\(container.paths.walArchive)/\(name)")
            }
            let texts = try (JSONFile.text(Self.snapshot), JSONFile.text(Self.clone))
            var readable = 0
            for _ in 0..<600 {
                write(mutated(texts.0, &random), to: snapshot.record)
                write(mutated(texts.1, &random), to: clone.record)
                let snapshots = try SnapshotCatalog(container).contents()
                let clones = try CloneCatalog(container).contents()
                #expect(snapshots.records.count + snapshots.damaged.count == 1)
                #expect(clones.records.count + clones.damaged.count == 1)
                for record in snapshots.records {
                    _ = (record.debtBytes, record.earliestTime, record.earliestTarget)
                    _ = (Instant.iso(record.createdAt), Instant.local(record.earliestTarget))
                }
                for record in clones.records {
                    _ = (record.path.target, record.path.timeline(at: record.stop), "\(record.path)")
                    _ = Instant.compact(record.createdAt)
                }
                do {
                    _ = try Expiry(container).plan(expire: PostgresTime(rawValue: 0))
                    readable += 1
                } catch let error as ArchiveError {
                    #expect(!error.what.isEmpty)
                }
            }
            #expect(readable > 20)
        }
    }

    private func write(_ text: String, to path: String) {
        #expect(FileManager.default.createFile(atPath: path, contents: Data(text.utf8)))
    }

    private static let ends: [Int64] = [
        .min, .min + 1, -9_222_425_352_054_775_809, .max - 1, .max, 9_222_425_352_054_775_807,
        9_222_425_352_054_775_808,
    ]

    @Test(arguments: ends)
    func momentsAtTheEnds(raw: Int64) {
        let time = PostgresTime(rawValue: raw)
        #expect(!Instant.iso(time).isEmpty && !Instant.local(time).isEmpty && !Instant.compact(time).isEmpty)
    }

    private static let snapshot = SnapshotRecord(
        name: "one",
        createdAt: PostgresTime(rawValue: 800_000_000_000_000),
        timeline: TimelineID(2),
        redo: LSN(0x100_0028),
        consistent: LSN(0x100_0110),
        replayed: LSN(0x100_2000),
        lastTransactionTime: PostgresTime(rawValue: 799_999_999_000_000),
        checkpointTime: PostgresTime(rawValue: 799_999_998_000_000),
        driver: .copy,
        live: true
    )

    private static let clone = CloneRecord(
        name: "one",
        snapshot: "one",
        createdAt: PostgresTime(rawValue: 800_000_000_000_000),
        state: .created,
        port: 5501,
        requested: "latest",
        redo: LSN(0x100_0028),
        path: TimelinePath(ancestors: [(TimelineID(1), LSN(0x100_1000))], timeline: TimelineID(2)),
        stop: LSN(0x100_3000),
        lastTransactionTime: nil,
        parameters: HotStandbyParameters(
            maxConnections: 100,
            maxWorkerProcesses: 8,
            maxWALSenders: 10,
            maxPreparedTransactions: 0,
            maxLocksPerTransaction: 64
        )
    )

    private static let pieces = [
        "null", "{}", "[]", "\"\"", "-1", "0", "1e999", "18446744073709551616", "9223372036854775807", "true", "\"x\"",
        "\"infinity\"", "\"-infinity\"", "\"FFFFFFFF/FFFFFFFF\"", "\"0/0\"", "\"294247-01-10T04:00:54.775806Z\"",
        "\"-290307-12-31T00:00:00.000000Z\"", "[[[[[[[[", "\u{0}", "\u{FFFD}", "\n", "# ", "=", "[wal]",
    ]

    /// A value replaced by another kind, a line lost or doubled, a text that is cut.
    private func mutated(_ text: String, _ random: inout SeededGenerator) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let line = Int.random(in: 0..<lines.count, using: &random)
        let piece = Self.pieces.randomElement(using: &random) ?? ""
        switch Int.random(in: 0..<6, using: &random) {
        case 0: lines.remove(at: line)
        case 1: lines.insert(lines[line], at: line)
        case 2: return String(text.prefix(Int.random(in: 0..<text.count, using: &random)))
        case 3:
            var bytes = Array(text.utf8)
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            return String(decoding: bytes, as: UTF8.self)
        default:
            guard let sign = lines[line].firstIndex(where: { $0 == ":" || $0 == "=" }) else { break }
            let comma = lines[line].hasSuffix(",") ? "," : ""
            lines[line] = lines[line][...sign] + " " + piece + comma
        }
        return lines.joined(separator: "\n")
    }
}
