import ArchiveModel
import Platform

/// Keeps a copier at work for each `[[wal.copy]]` of the settings, and looks at the settings again when they change.
final class CopyKeeper: Sendable {
    private let root: String
    private let log: SupervisorLog
    private let rounds: Rounds

    init(_ container: Container, log: SupervisorLog) throws {
        self.root = container.paths.root
        self.log = log
        self.rounds = try Rounds(everyMilliseconds: 1000, log: log)
    }

    func end() { rounds.end() }

    func run() {
        var working: [String: (copier: ArchiveCopier, thread: OwnedThread)] = [:]
        var seen: FileStatus?
        rounds.run {
            let now = try? FileTree.status(ContainerPaths(root: root).settings)
            if seen == nil || now?.modified != seen?.modified || now?.inode != seen?.inode {
                seen = now
                adjust(&working)
            }
            return []
        }
        end(working.values.map { $0 })
    }

    private func adjust(_ working: inout [String: (copier: ArchiveCopier, thread: OwnedThread)]) {
        // Settings that cannot be read change nothing.
        guard let container = try? Container.open(root) else { return }
        let wanted = container.settings.walCopies
        for (name, work) in working where !wanted.contains(work.copier.copy) {
            log.line("copy '\(name)' ends: it is not in the settings any more, or another one")
            end([work])
            working[name] = nil
        }
        for copy in wanted where working[copy.name] == nil {
            do {
                let copier = try ArchiveCopier(container, copy, log: log)
                working[copy.name] = (copier, try OwnedThread.start(name: "copy \(copy.name)") { copier.run() })
            } catch {
                log.line("copy '\(copy.name)' cannot begin: \(error)")
            }
        }
    }

    private func end(_ work: [(copier: ArchiveCopier, thread: OwnedThread)]) {
        for (copier, _) in work { copier.end() }
        for (_, thread) in work { thread.join() }
    }
}
