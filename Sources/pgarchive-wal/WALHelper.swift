import ArchiveModel
import Glibc
import Platform
import WALStore

/// What PostgreSQL runs as its restore_command: small, and without anything that makes its start slow.
@main
enum WALHelper {
    static func main() {
        // A closed stderr must not look like a killed restore_command, which ends recovery.
        try? SignalSet.ignore(SIGPIPE)
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    private static func run(_ arguments: [String]) -> Int32 {
        if arguments.first == "fetch" {
            return fetch(Array(arguments.dropFirst()))
        }
        // With anything else beside it, it may be a restore_command, which must not end with success.
        switch arguments.count == 1 ? arguments.first : nil {
        case "--version", "version":
            say("pgarchive-wal \(ProgramVersion.text)", to: 1)
            return 0
        case "--help", "-h", "help":
            say(HelpText.text, to: 1)
            return 0
        default:
            let text = arguments.isEmpty ? "no command given" : "'\(arguments[0])' is not a command of pgarchive-wal"
            say("error: \(text)\nhint: see pgarchive-wal --help", to: 2)
            // A restore_command with a mistake in it must not look like the end of the archive.
            return FetchOutcome.abortStatus
        }
    }

    private static func fetch(_ arguments: [String]) -> Int32 {
        if arguments == ["--help"] || arguments == ["-h"] {
            say(HelpText.text, to: 1)
            return 0
        }
        let request: FetchRequest
        do throws(ArgumentError) {
            request = try FetchArguments.parse(arguments)
        } catch {
            say("error: \(error.text)\nhint: see pgarchive-wal --help", to: 2)
            return FetchOutcome.abortStatus
        }
        let outcome = SegmentFetch(request).run { say($0, to: 2) }
        if case .badName(let text, _) = outcome { say("error: \(text)", to: 2) }
        return outcome.exitStatus
    }

    private static func say(_ text: String, to descriptor: Int32) {
        let line = Array("\(text)\n".utf8)
        line.withUnsafeBytes { _ = write(descriptor, $0.baseAddress, $0.count) }
    }
}
