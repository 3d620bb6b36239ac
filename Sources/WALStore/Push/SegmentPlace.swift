import Glibc
import Platform
import WALFormat

/// What an archive has under the name of a segment that is to be stored.
struct SegmentPlace {
    enum Finding {
        case free
        /// The same content, in whatever form.
        case same(String)
        /// A beginning of it, as a copy leaves that was interrupted.
        case torn(String)
        /// The partial segment there goes less far.
        case shorterPartial(String, LSN)
        case other(String, LSN)
        /// The very file that is to be stored.
        case itself
    }

    let archive: WALDirectory
    let segment: PushedSegment

    var fileName: String { segment.isPartial ? "\(segment.name).partial" : "\(segment.name)" }
    private var path: String { FilePath.join(archive.path, fileName) }

    /// Compares what is there, after a sync, with what the disk has: a sync that failed for another may have lost it.
    func look() throws -> Finding {
        do {
            guard let existing = try existing() else { return .free }
            if segment.isFile(existing.path) { return .itself }
            try Descriptor.open(existing.path, O_RDONLY | O_NOFOLLOW).syncForReading()
            return segment.isPartial ? try comparePartial(existing) : try compare(existing)
        } catch StoreError.badCompression {
            // What is there is no segment; ours goes beside it, and comes first.
            return .free
        }
    }

    private func existing() throws -> SegmentReader? {
        guard segment.isPartial else { return try archive.open(segment.name, completeOnly: true) }
        do {
            return try archive.reader(of: StoredSegment(name: segment.name, form: .partial, bytes: segment.size.bytes))
        } catch let error as SystemError where error.isNotFound {
            return nil
        }
    }

    private func compare(_ existing: SegmentReader) throws -> Finding {
        let existingPath = existing.path
        guard let difference = try SegmentDifference.first(segment.reader(), existing) else {
            return .same(existingPath)
        }
        if difference.secondEnds {
            return existing.stored.form == .plain ? .torn(existingPath) : .free
        }
        let content = try content(segment.reader())
        // Both are whole up to the switch; the rest is nobody's.
        if let end = content.switchEnd, difference.position >= end, try existing.isWhole(archive.segmentSize) {
            return .same(existingPath)
        }
        return .other(existingPath, difference.position)
    }

    private func comparePartial(_ existing: SegmentReader) throws -> Finding {
        let difference = try SegmentDifference.first(segment.reader(), existing)
        guard let difference else { return .same(existing.path) }
        if try difference.position >= content(segment.reader()).recordEnd { return .same(existing.path) }
        let theirs = try content(archive.reader(of: existing.stored)).recordEnd
        return difference.position >= theirs
            ? .shorterPartial(existing.path, theirs) : .other(existing.path, difference.position)
    }

    private func content(_ reader: SegmentReader) throws -> SegmentContent {
        try SegmentContent(of: reader, timeline: segment.name.timeline, segmentSize: archive.segmentSize)
    }

    /// Makes sure that the file at `path` outlives a power cut, under its name.
    func makeDurable(_ path: String) throws {
        try DurableFile.syncFile(path)
        try DurableFile.syncDirectory(archive.path)
    }

    /// Gives a torn file another name; it is kept.
    func setAside(_ path: String) throws -> String {
        for number in 1...1000 {
            let kept = "\(path).torn-\(number)"
            do throws(SystemError) {
                try DurableFile.renameNew(path, kept)
                return kept
            } catch {
                guard error.isTaken else { throw error }
            }
        }
        throw PushFailure(.trouble, "\(path) is torn, and so are a thousand before", hint: "see to the archive's disk")
    }

    /// Keeps the segment that is refused, once; the path where it is.
    func keepEvidence() -> String? {
        let name = "\(fileName).conflict-1"
        let kept = FilePath.join(archive.path, name)
        if FileTree.exists(kept) { return kept }
        do {
            try DurableFile.copy(segment.path, to: kept)
            return kept
        } catch {
            return nil
        }
    }
}

extension SegmentReader {
    /// Whether it has all the bytes of a segment, which were read up to somewhere.
    fileprivate func isWhole(_ size: SegmentSize) throws -> Bool {
        if stored.form == .plain { return try fileBytes() == size.bytes }
        let end = size.segmentEnd(of: position == LSN(0) ? position : LSN(position.rawValue &- 1))
        try skip(to: end)
        return position == end
    }
}
