import Testing
import WALFormat

@Suite struct BackupLabelTests {
    @Test(arguments: Fixture.all)
    func readsAServersFile(fixture: Fixture) throws {
        let label = try BackupLabel(fixture.text("backup_label"))
        #expect(label.timeline == TimelineID(1))
        #expect(label.source == .primary)
        #expect(label.method == "streamed")
        #expect(label.label == "fixture")
        #expect(label.checkpoint > label.start)
        #expect(!label.isIncremental)
        let scan = try fixture.dump(timeline: 1)
        #expect(scan.contains { $0.start == label.checkpoint && $0.description.contains("redo \(label.start);") })
    }

    @Test func readsAStandbysFile() throws {
        let label = try BackupLabel(
            """
            START WAL LOCATION: 16/B374D848 (file 0000000300000016000000B3)
            CHECKPOINT LOCATION: 16/B374D8B8
            BACKUP METHOD: streamed
            BACKUP FROM: standby
            START TIME: 2026-11-21 08:50:00 UTC
            LABEL: pgarchive: of 10:00
            START TIMELINE: 3
            INCREMENTAL FROM LSN: 16/0

            """
        )
        #expect(label.start == LSN(0x16_B374_D848))
        #expect(label.source == .standby)
        #expect(label.label == "pgarchive: of 10:00")
        #expect(label.isIncremental)
    }

    @Test(arguments: [
        ("", "backup_label has no valid START WAL LOCATION"),
        ("START WAL LOCATION: 0/0 (file x)", "backup_label has no valid START WAL LOCATION"),
        ("START WAL LOCATION: 0/28 (file x)", "backup_label has no valid CHECKPOINT LOCATION"),
        (
            "START WAL LOCATION: 0/28 (file x)\nCHECKPOINT LOCATION: 0/60",
            "backup_label has no valid START TIMELINE"
        ),
        (
            "START WAL LOCATION: 0/28 (f)\nCHECKPOINT LOCATION: 0/60\nSTART TIMELINE: 1\nBACKUP FROM: moon",
            "backup_label has the unknown BACKUP FROM 'moon'"
        ),
    ])
    func saysWhatIsMissing(text: String, expected: String) {
        #expect(throws: FormatError.invalid(expected)) { try BackupLabel(text) }
    }
}
