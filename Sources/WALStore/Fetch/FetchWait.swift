import Glibc
import Platform

/// Waits for the archive to change, and notices whatever must end a waiting restore_command.
///
/// PostgreSQL cannot interrupt a restore_command other than by signals that it takes for a shutdown. So promotion is
/// seen by the `promote` file in the working directory (the data directory), and a dead server by its end: the parent
/// is the process that runs the command, or a shell between; the session's leader is the process itself in any case,
/// as each of PostgreSQL's children begins a session.
final class FetchWait {
    enum Wake {
        case archiveChanged
        case promoted
        /// The end file was taken away: the caller's limit is about to move.
        case released
        case orphaned
        case timeIsOver
    }

    private static let promoteFile = "promote"
    /// How often to look where nothing tells of changes: some filesystems do not, and watches are limited.
    private let lookMilliseconds: Int32
    private let watch: FileWatch?
    private let archive: String
    /// Ends the wait when it is gone.
    private let endFile: String?
    private let guardians: [Int32]
    private var isOrphan = false

    /// Watches from now on: what is looked at afterwards cannot change unseen.
    init(archive: String, endFile: String? = nil) {
        self.archive = archive
        self.endFile = endFile
        watch = Self.watch(archive, endFile)
        lookMilliseconds = watch == nil ? 50 : 1000
        var handles: [Int32] = []
        // The leader's parent is the postmaster: when that is killed, its children must end before it can come back.
        let leader = getsid(0)
        let postmaster = leader == getpid() ? nil : ProcessIdentity.of(leader)?.parent
        for pid in Set([getppid(), leader, postmaster ?? 0]) where pid > 1 && pid != getpid() {
            if let handle = ProcessIdentity.of(pid)?.handle() {
                handles.append(handle.release())
            } else if pid == getppid() || getppid() == 1 || ProcessIdentity.of(pid) != nil {
                isOrphan = true
            }
        }
        guardians = handles
    }

    private static func watch(_ archive: String, _ endFile: String?) -> FileWatch? {
        guard let watch = try? FileWatch(),
            endFile.map({ (try? watch.add(FilePath.parent(of: $0), [.deleted])) != nil }) ?? true,
            (try? watch.add(archive, [.movedTo, .created, .closedAfterWriting])) != nil,
            (try? watch.add(".", [.movedTo, .created])) != nil
        else { return nil }
        return watch
    }

    deinit {
        for handle in guardians { close(handle) }
    }

    /// Waits for something to do.
    ///
    /// Without `archiveMatters` it sits out the time whatever happens in the archive.
    func next(until deadline: Deadline, archiveMatters: Bool = true) throws(SystemError) -> Wake {
        while true {
            if isOrphan { return .orphaned }
            if FileTree.exists(Self.promoteFile) { return .promoted }
            if let endFile, !FileTree.exists(endFile) { return .released }
            if deadline.hasPassed { return .timeIsOver }
            let items = [PollItem(watch?.raw ?? -1)] + guardians.map { PollItem($0) }
            let ready = try Poll.wait(
                items,
                timeoutMilliseconds: min(deadline.millisecondsLeft, lookMilliseconds)
            )
            if ready.dropFirst().contains(where: { !$0.isEmpty }) {
                isOrphan = true
            } else if ready.allSatisfy(\.isEmpty) {
                if archiveMatters { return deadline.hasPassed ? .timeIsOver : .archiveChanged }
            } else if let events = try watch?.read() {
                let changed = events.contains { $0.watchedPath == archive || $0.events.contains(.overflowed) }
                if changed, archiveMatters { return .archiveChanged }
            }
        }
    }
}
