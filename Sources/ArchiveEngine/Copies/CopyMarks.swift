import ArchiveModel
import Glibc
import Platform
import WALFormat
import WALStore

/// The notification files of one copy (`copies/NAME/FILE.ready`, `.done`): small, and they survive everything.
///
/// `.ready` says that a file is to be copied, `.done` that it was. What has neither is as good as ready.
struct CopyMarks {
    let directory: String

    init(_ container: Container, _ name: String) {
        directory = container.paths.copy(name)
    }

    func prepare() throws(SystemError) {
        try FileTree.makeDirectory(directory, mode: 0o700, parents: true)
    }

    /// The files that were copied, and those that are marked as to be copied.
    func read() throws(SystemError) -> (done: Set<String>, ready: Set<String>) {
        var done: Set<String> = []
        var ready: Set<String> = []
        for name in try FileTree.list(directory) {
            if name.hasSuffix(".done") { done.insert(String(name.dropLast(5))) }
            if name.hasSuffix(".ready") { ready.insert(String(name.dropLast(6))) }
        }
        // Killed between a link and its removal.
        return (done, ready.subtracting(done))
    }

    func setReady(_ file: String) throws(SystemError) {
        _ = try Descriptor.open("\(directory)/\(file).ready", O_WRONLY | O_CREAT, mode: 0o600)
    }

    /// Durably: what is done is never copied again.
    ///
    /// Where the mark is gone the file got another content while it was copied: it stays one to be copied.
    func setDone(_ file: String) throws(SystemError) {
        try FaultPoint.pass("copy.beforeDone")
        do throws(SystemError) {
            try DurableFile.rename("\(directory)/\(file).ready", "\(directory)/\(file).done")
        } catch {
            guard error.isNotFound else { throw error }
        }
    }

    /// Has a segment copied again by each copy: another content has its name now.
    static func copyAgain(_ segment: SegmentName, _ container: Container) throws {
        guard FileTree.isDirectory(container.paths.copies) else { return }
        for name in try FileTree.list(container.paths.copies) {
            let marks = CopyMarks(container, name)
            try marks.forget(["\(segment)"])
            try DurableFile.syncDirectory(marks.directory)
        }
    }

    /// Forgets files that the archive no longer has, or of which it has another content now.
    func forget(_ files: some Sequence<String>) throws(SystemError) {
        for file in files {
            // In the order in which one becomes the other: the copier may be about to do so.
            try FileTree.removeFile("\(directory)/\(file).ready")
            try FileTree.removeFile("\(directory)/\(file).done")
        }
    }
}

extension WALArchiveFiles {
    /// Those of `segments` that a configured copy has still to take, with the copy's name: expiry leaves them.
    static func uncopied(_ segments: [SegmentName], _ container: Container) throws -> [SegmentName: String] {
        var uncopied: [SegmentName: String] = [:]
        for copy in container.settings.walCopies {
            let marks = CopyMarks(container, copy.name)
            let done = FileTree.exists(marks.directory) ? try marks.read().done : []
            for name in segments where !done.contains("\(name)") { uncopied[name] = copy.name }
        }
        return uncopied
    }
}

/// The complete files of the WAL archive, under the names that PostgreSQL knows.
enum WALArchiveFiles {
    static func complete(_ container: Container) throws(SystemError) -> Set<String> {
        var names: Set<String> = []
        for name in try FileTree.list(container.paths.walArchive) {
            switch ArchiveFileName(name) {
            case .segment(let segment), .compressedSegment(let segment, _): names.insert("\(segment)")
            case .history, .backupHistory: names.insert(name)
            case .partialSegment, .compressedPartialSegment, nil: break
            }
        }
        return names
    }

    /// Those of `files` that are really gone: a listing may miss one that is being compressed.
    static func gone(_ files: Set<String>, from container: Container) throws -> [String] {
        try files.filter { file in
            guard let name = SegmentName(file) else { return !FileTree.exists("\(container.paths.walArchive)/\(file)") }
            return try container.walDirectory.locate(name, completeOnly: true) == nil
        }
    }
}
