import ArchiveModel
import ArgumentParser
import Glibc
import PostgresLink

/// One run of the program: the arguments in, the exit code out.
enum Session {
    static func run(_ arguments: [String]) -> Int32 {
        // A reader that goes away is an error of the write, not a reason to die in the middle of work.
        signal(SIGPIPE, SIG_IGN)
        do {
            let arguments = DiffCommand.separated(LookOptions.separated(GlobalOptions.moved(behindVerb: arguments)))
            try CommandTree.check(arguments)
            var command = try PgArchive.parseAsRoot(arguments)
            // An upstream is named by its settings alone, never by what the shell happens to have set.
            if !((command as? any TakesLibpqEnvironment)?.takesLibpqEnvironment ?? false) { LibpqEnvironment.clear() }
            try command.run()
            try StandardOutput.finish()
            return 0
        } catch {
            return report(error)
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        if PgArchive.exitCode(for: error) == .success {
            // Help, the version, the completion script and its answers come as errors too.
            let text = PgArchive.fullMessage(for: error, columns: Terminal.columns)
            return print(GlobalOptions.usageFirst(GlobalOptions.shortened(usage: text)))
        }
        if let status = error as? ExitCode { return status.rawValue }
        let failure = Failure(error)
        failure.write()
        return failure.exitCode
    }

    static func print(_ text: String) -> Int32 {
        do {
            try StandardOutput.write(text.hasSuffix("\n") ? text : text + "\n")
            return 0
        } catch {
            return report(error)
        }
    }
}

/// A command that stands for one of PostgreSQL's tools.
protocol TakesLibpqEnvironment {
    var takesLibpqEnvironment: Bool { get }
}
