import Foundation
import Testing
import WALFormat

/// pg_control against pg_controldata's output.
@Suite struct ControlFileTests {
    static let names = ["pg_control", "pg_control-standby"]

    @Test(arguments: Fixture.all, names)
    func saysWhatPgControldataSays(fixture: Fixture, name: String) throws {
        let control = try fixture.decompressed("\(name).zst").withUnsafeBytes { try ControlFile($0) }
        var fields: [String: String] = [:]
        for line in try fixture.text("\(name).txt").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            fields[String(parts[0])] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        #expect(control.major == fixture.major)
        let states: [ControlFile.State: String] = [
            .shutDown: "shut down", .shutDownInRecovery: "shut down in recovery",
        ]
        let expected: [String: String?] = [
            "pg_control version number": "\(control.controlVersion)",
            "Catalog version number": "\(control.catalogVersion)",
            "Database system identifier": "\(control.systemIdentifier)",
            "Database cluster state": states[control.state],
            "Latest checkpoint location": "\(control.checkpoint)",
            "Latest checkpoint's REDO location": "\(control.checkpointRedo)",
            "Latest checkpoint's TimeLineID": "\(control.checkpointTimeline)",
            "Latest checkpoint's PrevTimeLineID": "\(control.checkpointPreviousTimeline)",
            "Latest checkpoint's full_page_writes": control.fullPageWrites ? "on" : "off",
            "Minimum recovery ending location": "\(control.minRecoveryPoint)",
            "Min recovery ending loc's timeline": "\(control.minRecoveryPointTimeline)",
            "Backup start location": "\(control.backupStart)",
            "Backup end location": "\(control.backupEnd)",
            "End-of-backup record required": control.backupEndRequired ? "yes" : "no",
            "wal_level setting": "\(control.walLevel)",
            "max_connections setting": "\(control.maxConnections)",
            "max_worker_processes setting": "\(control.maxWorkerProcesses)",
            "max_wal_senders setting": "\(control.maxWALSenders)",
            "max_prepared_xacts setting": "\(control.maxPreparedTransactions)",
            "max_locks_per_xact setting": "\(control.maxLocksPerTransaction)",
            "Bytes per WAL segment": "\(control.segmentSize.bytes)",
            "Data page checksum version": "\(control.dataChecksumVersion)",
        ]
        for (key, value) in expected {
            #expect(fields[key] == value, "\(key)")
        }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "EEE MMM dd HH:mm:ss yyyy"
        let time = Date(timeIntervalSince1970: Double(control.checkpointTime.unixMicroseconds) / 1e6)
        #expect(fields["Time of latest checkpoint"] == format.string(from: time))
    }

    @Test(arguments: Fixture.all)
    func damageIsFound(fixture: Fixture) throws {
        let bytes = try fixture.decompressed("pg_control.zst")
        let end = fixture.major == .v18 ? 296 : 292
        for offset in 0..<end {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[offset] ^= 1 << bit
                #expect(throws: FormatError.self) { try damaged.withUnsafeBytes { try ControlFile($0) } }
            }
        }
    }

    @Test func tooShortIsAnError() throws {
        let bytes = try Fixture(major: .v15).decompressed("pg_control.zst")
        for count in 0..<292 {
            #expect(throws: FormatError.self) {
                try bytes.withUnsafeBytes { try ControlFile(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            }
        }
        #expect(throws: FormatError.truncated("pg_control", needed: 292, found: 291)) {
            try bytes.withUnsafeBytes { try ControlFile(UnsafeRawBufferPointer(rebasing: $0[..<291])) }
        }
    }

    @Test func anUnknownVersionIsNamed() {
        let bytes = [UInt8](repeating: 0, count: 8192)
        #expect(throws: FormatError.unsupported("pg_control has version 0; 1300, 1700 and 1800 are known")) {
            try bytes.withUnsafeBytes { try ControlFile($0) }
        }
    }
}
