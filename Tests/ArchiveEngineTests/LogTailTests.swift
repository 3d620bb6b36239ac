import ArchiveEngine
import ArchiveTesting
import Platform
import Testing

@Suite("The end of a log", .keepsEvidence)
struct LogTailTests {
    private static func entry(_ severity: String, _ message: String) -> String {
        "2026-11-21 08:50:00.123 UTC,,,4711,,6560,1,,2026-11-21 08:50:00 UTC,,0,\(severity),58P01,"
            + "\"\(message)\",,,,,,,,,\"\",\"postmaster\",,0\n"
    }

    @Test("what a server died of is told from texts that only look like it")
    func reasons() throws {
        try TestDirectory.with { directory in
            let log =
                Self.entry("LOG", "the query was: insert into t values ('x,FATAL,y')")
                + Self.entry("FATAL", "requested timeline 2\nis not a child")
                + Self.entry("LOG", "shutting down")
            try DurableFile.replace("\(directory.path)/postgresql-Sat.csv", text: log)
            let reasons = LogTail.reasons(directory: directory.path)
            #expect(reasons == ["FATAL: requested timeline 2\nis not a child"])
        }
    }
}
