import ArchiveModel
import Glibc
import Platform
import WALStore

/// What PostgreSQL runs as its archive_command and restore_command: small, and without anything that makes its start
/// slow.
@main
enum WALHelper {
    static func main() {
        // A closed stderr, or a limit of file sizes, must not look like a killed command: that ends recovery, and the
        // archiver.
        try? SignalSet.ignore(SIGPIPE)
        try? SignalSet.ignore(SIGXFSZ)
        // So a server that is stopped at once ends it: at once.
        try? SignalSet.endBy(SIGQUIT)
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    private static func run(_ arguments: [String]) -> Int32 {
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case "fetch": return fetch(rest)
        case "push": return push(rest)
        // With anything else beside it, it may be a restore_command, which must not end with success.
        case "--version" where rest.isEmpty, "version" where rest.isEmpty:
            say("pgarchive-wal \(ProgramVersion.text)", to: 1)
            return 0
        case "--help" where rest.isEmpty, "-h" where rest.isEmpty, "help" where rest.isEmpty:
            say(HelpText.text, to: 1)
            return 0
        default:
            let text = arguments.isEmpty ? "no command given" : "'\(arguments[0])' is not a command of pgarchive-wal"
            complain(text, hint: "see pgarchive-wal --help")
            // A restore_command with a mistake in it must not look like the end of the archive.
            return FetchOutcome.abortStatus
        }
    }

    private static func fetch(_ arguments: [String]) -> Int32 {
        if isHelp(arguments) { return 0 }
        let request: FetchRequest
        do throws(ArgumentError) {
            request = try FetchArguments.parse(arguments)
        } catch {
            complain(error.text, hint: "see pgarchive-wal --help")
            return FetchOutcome.abortStatus
        }
        let outcome = SegmentFetch(request).run { say($0, to: 2) }
        if case .badName(let text, _) = outcome { say("error: \(text)", to: 2) }
        return outcome.exitStatus
    }

    private static func push(_ arguments: [String]) -> Int32 {
        if isHelp(arguments) { return 0 }
        do throws(PushFailure) {
            let request: PushRequest
            do throws(ArgumentError) {
                request = try PushArguments.parse(arguments)
            } catch {
                throw PushFailure(.usage, error.text, hint: "see pgarchive-wal --help")
            }
            _ = try ArchivePush(request).run { say($0, to: 2) }
            return 0
        } catch {
            complain(error.text, hint: error.hint)
            return error.exitStatus
        }
    }

    private static func isHelp(_ arguments: [String]) -> Bool {
        guard arguments == ["--help"] || arguments == ["-h"] else { return false }
        say(HelpText.text, to: 1)
        return true
    }

    private static func complain(_ text: String, hint: String) {
        say("error: \(text)\nhint: \(hint)", to: 2)
    }

    private static func say(_ text: String, to descriptor: Int32) {
        let line = Array("\(text)\n".utf8)
        line.withUnsafeBytes { _ = write(descriptor, $0.baseAddress, $0.count) }
    }
}
