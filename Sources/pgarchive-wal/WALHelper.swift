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
        switch arguments.first {
        case "fetch":
            return fetch(Array(arguments.dropFirst()))
        case "--version", "version":
            say("pgarchive-wal \(ProgramVersion.text)", to: 1)
            return 0
        case "--help", "-h", "help":
            say(HelpText.text, to: 1)
            return 0
        case let word?:
            say("error: '\(word)' is not a command of pgarchive-wal\nhint: see pgarchive-wal --help", to: 2)
            return 2
        case nil:
            say("error: no command given\nhint: see pgarchive-wal --help", to: 2)
            return 2
        }
    }

    private static func fetch(_ arguments: [String]) -> Int32 {
        if arguments.contains("--help") || arguments.contains("-h") {
            say(HelpText.text, to: 1)
            return 0
        }
        let request: FetchRequest
        do throws(ArgumentError) {
            request = try FetchArguments.parse(arguments)
        } catch {
            say("error: \(error.text)\nhint: see pgarchive-wal --help", to: 2)
            // A wrong restore_command must not look like the end of the archive.
            return FetchOutcome.abortStatus
        }
        let outcome = SegmentFetch(request).run { say($0, to: 2) }
        if case .badName(let text) = outcome { say("error: \(text)", to: 2) }
        return outcome.exitStatus
    }

    private static func say(_ text: String, to descriptor: Int32) {
        let line = Array("\(text)\n".utf8)
        line.withUnsafeBytes { _ = write(descriptor, $0.baseAddress, $0.count) }
    }
}
