import ArchiveModel
import Glibc
import Platform
import WALFormat

/// `log/supervisor.log`: one line per event, with the UTC time, on standard error.
final class SupervisorLog: Sendable {
    /// The file that standard error is; nil where that is a terminal or the journal.
    private let path: String?

    init(_ container: Container) {
        let path = container.paths.supervisorLog
        self.path = FileTree.isSame(STDERR_FILENO, path) ? path : nil
    }

    func line(_ text: String) {
        if let path {
            LogRotation.rotate(path)
            follow(path)
        }
        let line = "\(Instant.iso(.init(unixMicroseconds: SystemClock.now()))) \(text)\n"
        // A full disk must not end the supervisor: a line that cannot be written is lost.
        _ = line.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) }
    }

    /// The file was moved away, here or by logrotate: the next lines, and those of what is started, go to a new one.
    private func follow(_ path: String) {
        guard !FileTree.isSame(STDERR_FILENO, path),
            let file = try? Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
        else { return }
        dup2(file.raw, STDERR_FILENO)
        dup2(file.raw, STDOUT_FILENO)
    }
}
