import ArchiveModel
import Platform
import WALFormat

/// Times as users write them: whatever `date --date` understands.
enum TimeInput {
    private static let programs = ["/usr/bin/date", "/bin/date"]
    private static let hint =
        "a time is anything that 'date --date' understands: '10 minutes ago', "
        + "'yesterday 14:30', '2026-11-21 08:50:00+01', '@1763713430'"

    /// The instant that a text means.
    ///
    /// `date` itself reads it, in the caller's time zone and with English words, started without a shell.
    static func resolve(_ text: String) throws -> PostgresTime {
        // date takes an empty text, or a bare sign, for the last midnight: never what is meant here.
        guard text.contains(where: { $0.isLetter || $0.isNumber }), !text.utf8.contains(0) else {
            throw ArchiveError(.usage, "'\(text)' is not a time", hint: hint)
        }
        guard let program = programs.first(where: { FileTree.exists($0) }) else {
            throw ArchiveError(.failed, "the program 'date' is missing", hint: "install coreutils")
        }
        var environment = ["LC_ALL": "C"]
        if let zone = Terminal.environment("TZ") { environment["TZ"] = zone }
        let result = try ProcessSpawn.run(
            SpawnRequest(executable: program, arguments: ["--date=\(text)", "+%s %N"], environment: environment),
            outputLimit: 4096,
            timeoutSeconds: 10
        )
        guard result.status == .exited(0), let time = parse(String(decoding: result.output, as: UTF8.self)) else {
            throw ArchiveError(.usage, "'\(text)' is not a time", hint: hint)
        }
        return time
    }

    /// Reads `date +"%s %N"`; nil beyond the range of PostgreSQL's timestamps.
    static func parse(_ output: String) -> PostgresTime? {
        let fields = output.split(whereSeparator: \.isWhitespace)
        guard fields.count == 2, let seconds = Int64(fields[0]), let nanoseconds = Int64(fields[1]) else { return nil }
        // PostgreSQL: 4714-11-24 BC up to the year 294277.
        guard (-210_866_803_200...9_224_318_016_000).contains(seconds) else { return nil }
        return PostgresTime(
            rawValue: (seconds - PostgresTime.unixEpochOffsetSeconds) * 1_000_000 + nanoseconds / 1000
        )
    }
}
