package import ArchiveModel
import Glibc
import Platform
package import WALFormat

/// The timeline histories of an archive.
extension WALDirectory {
    private static var historyLimitBytes: Int { 1 << 20 }

    /// What the archive has of a timeline's history; nil when it has no file of it.
    ///
    /// - Throws: `StoreError.badHistory` when the file is not one.
    package func history(_ timeline: TimelineID) throws -> TimelineHistory? {
        guard let text = try historyText(timeline) else { return nil }
        do throws(FormatError) {
            return try TimelineHistory(timeline: timeline, text: text)
        } catch {
            throw StoreError.badHistory(path: historyPath(of: timeline), error)
        }
    }

    /// The history file's text as it is; nil when there is none.
    package func historyText(_ timeline: TimelineID) throws -> String? {
        do throws(SystemError) {
            return try FileTree.readText(historyPath(of: timeline), limit: Self.historyLimitBytes)
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    /// Stores a history file durably.
    ///
    /// - Throws: `StoreError.badHistory` for a text that is none; `StoreError.conflict` when the archive has another
    ///   history of the same timeline, which stays (two servers were promoted to one number).
    package func storeHistory(_ timeline: TimelineID, text: String, mode: UInt32 = 0o600) throws {
        let file = historyPath(of: timeline)
        do throws(FormatError) {
            _ = try TimelineHistory(timeline: timeline, text: text)
        } catch {
            throw StoreError.badHistory(path: file, error)
        }
        do throws(SystemError) {
            try DurableFile.createNew(file, text: text, mode: mode)
            return
        } catch {
            guard error.errno == EEXIST else { throw error }
        }
        guard try historyText(timeline) == text else {
            if (try? history(timeline)) == nil { return try replaceDamaged(file, with: text) }
            throw StoreError.conflict(path: file, evidence: try keepEvidence(of: file, text: text))
        }
        // The first attempt may have been killed before its directory was synced.
        try DurableFile.syncFile(file)
        try DurableFile.syncDirectory(path)
    }

    /// What cannot be read as a history is none that ours could contradict; it is kept beside.
    private func replaceDamaged(_ file: String, with text: String) throws(SystemError) {
        for number in 1...1000 where !FileTree.exists("\(file).damaged-\(number)") {
            try DurableFile.copy(file, to: "\(file).damaged-\(number)")
            break
        }
        try DurableFile.replace(file, text: text)
    }

    private func keepEvidence(of file: String, text: String) throws -> String {
        for number in 1...1000 {
            let evidence = "\(file).conflict-\(number)"
            if FileTree.exists(evidence) {
                if try FileTree.readText(evidence, limit: Self.historyLimitBytes) == text { return evidence }
                continue
            }
            try DurableFile.replace(evidence, text: text)
            return evidence
        }
        return "nothing: there are a thousand others"
    }

    /// The way to a timeline, by the archive's history files.
    ///
    /// - Throws: `StoreError.historyMissing` when the timeline is not the first and has no file.
    package func path(to timeline: TimelineID) throws -> TimelinePath {
        guard let history = try history(timeline) else {
            guard timeline.rawValue <= 1 else { throw StoreError.historyMissing(timeline) }
            return TimelinePath(timeline)
        }
        return TimelinePath(ancestors: history.ancestors.map { ($0.timeline, $0.end) }, timeline: timeline)
    }
}
