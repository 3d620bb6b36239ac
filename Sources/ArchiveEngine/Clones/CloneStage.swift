import ArchiveModel
import Platform

/// How far a clone has come, which decides what a start has to do.
enum CloneStage: Sendable {
    /// It has still to recover to its target.
    case recovering
    /// It was promoted, and that is still to be checked and noted: the command ended before, or it is a ready image's
    /// copy.
    case unchecked
    /// It is a server of its own.
    case ready

    init(_ record: CloneRecord, _ tree: ServerTree) {
        if record.state == .recovered {
            self = .ready
        } else {
            // PostgreSQL removes the file with its promotion.
            self = FileTree.exists(tree.standbySignal) ? .recovering : .unchecked
        }
    }
}
