import ArchiveEngine
import ArchiveModel
import Testing

@Suite("pgarchive.toml")
struct SettingsFileTests {
    @Test("what is written is read back, whatever the texts hold")
    func roundTrip() throws {
        var settings = Settings()
        settings.upstream = "host=db1 password='it''s \"quoted\" \\ and #hash'"
        settings.upstreamReplication = "host=db1\tuser=replication"
        settings.slot = "pgarchive_prod"
        settings.walSynchronous = true
        settings.expireDate = "3 days ago"
        settings.keepMinimum = 7
        settings.clonePorts = 6000...6010
        settings.snapshotDebtBytes = 123 << 20
        let text = SettingsFile.text(settings)
        #expect(try SettingsFile.parse(text, path: "x") == settings)
    }

    @Test("an empty file is all defaults")
    func empty() throws {
        #expect(try SettingsFile.parse("", path: "x") == Settings())
    }

    @Test(
        "each mistake is an error that names the file and what was meant",
        arguments: [
            ("slott = \"a\"", "there is no setting 'slott'", "did you mean 'slot'?"),
            ("[keep]\nexpiredate = \"x\"", "there is no setting 'keep.expiredate'", "did you mean 'keep.expire_date'?"),
            ("[clones]\nports = \"1-2\"", "there is no setting 'clones'", nil),
            ("slot = 5", "slot must be a text in quotes", nil),
            ("[keep]\nminimum = 0", "keep.minimum must be a number from 1", nil),
            ("[keep]\nminimum = \"2\"", "keep.minimum must be a number from 1", nil),
            ("[clone]\nports = \"6000\"", nil, nil),
            ("[clone]\nports = \"6010-6000\"", "clone.ports must be a range", nil),
            ("[clone]\nports = \"80-90\"", "clone.ports must be a range", nil),
            ("[clone]\nports = \"5500-70000\"", "clone.ports must be a range", nil),
            ("[snapshot]\ndebt = \"lots\"", "snapshot.debt must be a size", nil),
            ("[wal]\nsynchronous = \"yes\"", "wal.synchronous must be true or false", nil),
            ("slot = pgarchive", "x:1", nil),
            ("[%]", "x:1: a line that begins with [", nil),
            ("slot = \"a\"\n[", "x:2: a line that begins with [", nil),
            ("[\n]", "x:1: a line that begins with [", nil),
            ("[[ \u{301}a]]", "x:1: a line that begins with [", nil),
            ("[\u{301}a]", "x:1: a line that begins with [", nil),
            ("[]", "x:1", nil),
            ("[\"no\"]", "there is no setting 'no'", nil),
            ("[[wal.copy]]\nname = \"a\"\nprogram = \"\"\"\n[[ $x = 1 ]] && cp %p y\"\"\"", nil, nil),
        ] as [(String, String?, String?)]
    )
    func mistakes(_ text: String, _ what: String?, _ hint: String?) throws {
        guard let what else {
            #expect(throws: Never.self) { try SettingsFile.parse(text, path: "x") }
            return
        }
        let error = #expect(throws: ArchiveError.self) { try SettingsFile.parse(text, path: "x") }
        #expect(error?.what.contains(what) == true, "\(error?.what ?? "no error")")
        #expect(error?.code == .usage)
        if let hint { #expect(error?.hint == hint) }
    }
}
