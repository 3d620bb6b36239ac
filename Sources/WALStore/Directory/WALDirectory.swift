import Glibc
import Platform
package import WALFormat

/// A WAL archive: a directory of segments and timeline histories.
///
/// Its files are all the truth there is.
/// Others add, complete, compress and remove files at any time; what is looked for by its segment's name is found
/// under whatever file name it has at that moment.
package struct WALDirectory: Sendable {
    package let path: String
    package let segmentSize: SegmentSize

    package init(_ path: String, segmentSize: SegmentSize) {
        self.path = path
        self.segmentSize = segmentSize
    }

    package init(path: String, segmentSize: SegmentSize) {
        self.init(path, segmentSize: segmentSize)
    }

    package func path(of segment: StoredSegment) -> String { FilePath.join(path, segment.fileName) }

    package func historyPath(of timeline: TimelineID) -> String { FilePath.join(path, timeline.historyFileName) }

    /// A directory in it for files that others have taken the place of: no part of the archive.
    package static let quarantineName = "quarantine"

    /// What pgarchive keeps there and is no WAL.
    package static func isOurs(_ name: String) -> Bool { name == quarantineName || name == ArchiveMark.name }

    /// Everything in the directory; files that vanish meanwhile are left out, but no segment that changes its form.
    package func list() throws -> ArchiveListing {
        var entries: [(name: String, bytes: UInt64, stamp: StoredSegment.Stamp?)] = []
        let names = try FileTree.list(path)
        try FaultPoint.pass("list.named")
        for name in names where !Self.isOurs(name) {
            if let status = try status(name) {
                entries.append((name, UInt64(max(0, status.bytes)), .init(status)))
            } else if let segment = ArchiveFileName(name)?.segment, let stored = try locate(segment),
                !names.contains(stored.fileName)
            {
                // Completed or compressed since the names were read: then it has a name that is not among them.
                entries.append((stored.fileName, stored.bytes, stored.stamp))
            }
        }
        return ArchiveListing(entries)
    }

    /// The file that holds a segment now: complete if there is one, else partial; nil when there is none.
    ///
    /// One call to the system for each form that is not there. With `completeOnly` a partial file counts as absent.
    package func locate(_ name: SegmentName, completeOnly: Bool = false) throws -> StoredSegment? {
        // The forms are asked for in the order in which files change from one into another, but that a partial segment
        // becomes a complete one: that is found by asking for the complete forms once more.
        let complete = StoredSegment.Form.complete
        for forms in completeOnly ? [complete] : [complete, StoredSegment.Form.partials, complete] {
            for form in forms {
                guard let status = try status("\(name)\(form.suffix)") else { continue }
                return StoredSegment(name: name, form: form, bytes: UInt64(max(0, status.bytes)), stamp: .init(status))
            }
        }
        return nil
    }

    /// A reader of a segment, in whatever form it is found.
    ///
    /// With `completeOnly` a partial file counts as absent. Nil when the archive does not have it.
    package func open(_ name: SegmentName, completeOnly: Bool = false) throws -> SegmentReader? {
        // Each round but the first means that the file was renamed or removed since it was located.
        for _ in 0..<8 {
            guard let stored = try locate(name, completeOnly: completeOnly) else { return nil }
            do {
                return try reader(of: stored)
            } catch let error as SystemError where error.isNotFound {
                continue
            }
        }
        return nil
    }

    /// A reader of this very file.
    package func reader(of segment: StoredSegment) throws -> SegmentReader {
        guard let start = segment.name.start(size: segmentSize) else { throw StoreError.notFound(segment.name) }
        return try SegmentReader(segment, path: path(of: segment), start: start, limit: segmentSize.bytes)
    }

    /// A segment's content, decompressed: all of a complete one, what is there of a partial one.
    ///
    /// - Throws: `StoreError.wrongSize` for a complete one that is not of the segment size.
    package func bytes(of segment: StoredSegment) throws -> SegmentBytes {
        guard let reader = try openAgain(segment) else { throw StoreError.notFound(segment.name) }
        let wanted = Int(segmentSize.bytes)
        let bytes = try SegmentBytes(reader, capacity: wanted)
        if reader.stored.form.isComplete, bytes.count != wanted {
            throw StoreError.wrongSize(path: reader.path, bytes: UInt64(bytes.count), expected: segmentSize.bytes)
        }
        return bytes
    }

    private func openAgain(_ segment: StoredSegment) throws -> SegmentReader? {
        do {
            return try reader(of: segment)
        } catch let error as SystemError where error.isNotFound {
            return try open(segment.name)
        }
    }

    /// Removes a segment in all its complete forms, durably.
    ///
    /// A partial file stays; absence is fine. The result is how many bytes the files had.
    @discardableResult
    package func remove(_ name: SegmentName) throws -> UInt64 {
        var freed: UInt64 = 0
        // The compressed forms go last: while anything is left of the segment, it is whole.
        for form in StoredSegment.Form.complete {
            let fileName = "\(name)\(form.suffix)"
            guard let status = try status(fileName) else { continue }
            try DurableFile.remove(FilePath.join(path, fileName))
            freed &+= UInt64(max(0, status.bytes))
        }
        return freed
    }

    /// Removes this very file, durably.
    package func remove(_ segment: StoredSegment) throws {
        try DurableFile.remove(path(of: segment))
    }

    private func status(_ name: String) throws -> FileStatus? {
        do throws(SystemError) {
            return try FileTree.status(FilePath.join(path, name))
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }
}

extension StoredSegment.Stamp {
    init(_ status: FileStatus) {
        self.init(modified: status.modified, inode: status.inode)
    }
}
