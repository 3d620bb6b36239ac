import Glibc
import Platform
import WALFormat

/// An archive_command: stores one file of a server's pg_wal in an archive.
///
/// When it says so, the file is there under its name, durably. What has a name already is never overwritten: the same
/// content is as good as ours, any other is refused.
package struct ArchivePush {
    package enum Outcome: Hashable, Sendable {
        case stored
        /// The archive has the same content already, durably now.
        case present
    }

    let request: PushRequest

    package init(_ request: PushRequest) {
        self.request = request
    }

    /// Carries out the request.
    ///
    /// - Parameter report: is told what people should know, one line at a time.
    package func run(report: (String) -> Void) throws(PushFailure) -> Outcome {
        do {
            guard let name = ArchiveFileName(FilePath.name(of: request.source)) else { throw badName() }
            try checkDirectory()
            switch name {
            case .segment(let name): return try store(name, isPartial: false, report)
            case .partialSegment(let name): return try store(name, isPartial: true, report)
            case .history, .backupHistory: return try TextPush(request: request, name: name).store()
            default: throw badName()
            }
        } catch {
            throw failure(error)
        }
    }

    private func badName() -> PushFailure {
        PushFailure(
            .usage,
            "'\(FilePath.name(of: request.source))' is not the name of a file that PostgreSQL archives",
            hint: "give %p as the last argument of archive_command"
        )
    }

    /// An archive that is not mounted must not be made anew.
    private func checkDirectory() throws {
        do throws(SystemError) {
            _ = try Descriptor.open(request.archive, O_RDONLY | O_DIRECTORY)
        } catch {
            switch error.errno {
            case ENOENT:
                throw PushFailure(
                    .notFound,
                    "the archive \(request.archive) is not there",
                    hint: "mount it, or make the directory; push never makes one",
                    isOfArchive: true
                )
            case ENOTDIR:
                throw PushFailure(
                    .notFound,
                    "the archive \(request.archive) is a file, or lies below one",
                    hint: "give a directory"
                )
            default: throw error
            }
        }
        guard request.requiresMark, let expected = request.systemIdentifier else { return }
        guard let found = try ArchiveMark.read(request.archive) else {
            throw PushFailure(
                .notFound,
                "\(request.archive) is no container's WAL archive: there is no file \(ArchiveMark.name) in it",
                hint: "mount it; a container of an older version has the file from its next 'container start' on",
                isOfArchive: true
            )
        }
        guard found != expected else { return }
        throw PushFailure(
            .refused,
            "\(request.archive) is the archive of the cluster with system identifier \(found), not of \(expected)",
            hint: "take the line that 'wal_archive status' prints there",
            isOfArchive: true
        )
    }

    // MARK: - Segments

    private func store(_ name: SegmentName, isPartial: Bool, _ report: (String) -> Void) throws -> Outcome {
        let segment = try PushedSegment(
            name,
            isPartial: isPartial,
            path: request.source,
            expectedSize: request.segmentSize
        )
        let archive = WALDirectory(request.archive, segmentSize: segment.size)
        try PushedCluster(request: request, archive: archive).check(segment)
        let place = SegmentPlace(archive: archive, segment: segment)
        // Each round but the first means that the name was taken, or what had it was moved away, since the look.
        for _ in 0..<4 {
            switch try place.look() {
            case .free: break
            case .same(let path):
                try place.makeDurable(path)
                return .present
            case .torn(let path):
                let kept = try place.setAside(path)
                report("warning: \(path) was shorter than a segment and begins like this one; it is \(kept) now")
                continue
            case .shorterPartial(let path, _) where !ReceiverLock.isHeld(request.archive):
                let kept = try place.setAside(path)
                report("warning: \(path) went less far than this one, and nobody receives it; it is \(kept) now")
                continue
            case .shorterPartial(let path, let end):
                throw PushFailure(
                    .trouble,
                    "\(path) is there and ends at \(end), before this one",
                    hint: "it may still be received: push is tried again; else move it away"
                )
            case .other(let path, let position):
                throw conflict(path, position, place)
            case .itself:
                throw PushFailure(
                    .refused,
                    "\(request.source) lies in the archive itself, from where PostgreSQL will remove it",
                    hint: "give a directory other than pg_wal"
                )
            }
            let file = try NewFile(in: request.archive, mode: segment.mode)
            try SegmentCopy(segment).run(into: file)
            do throws(SystemError) {
                try file.publish(as: place.fileName)
                return .stored
            } catch {
                guard error.isTaken else { throw error }
            }
        }
        throw PushFailure(.trouble, "\(place.fileName) is being changed by others", hint: "it is tried again")
    }

    private func conflict(_ path: String, _ position: LSN, _ place: SegmentPlace) -> PushFailure {
        var text = "\(path) has other content from \(position) on than \(request.source); nothing was overwritten"
        // PostgreSQL keeps what is not archived; a container's people are shown both.
        if request.systemIdentifier != nil, let evidence = place.keepEvidence() { text += "; this one is \(evidence)" }
        return PushFailure(
            .conflict,
            text,
            hint: "two servers may archive to the same place, or this one was restored: give each an archive of its own"
        )
    }

    // MARK: - Failures

    private func failure(_ error: any Error) -> PushFailure {
        if let failure = error as? PushFailure { return failure }
        guard let error = error as? SystemError else {
            return PushFailure(
                .trouble,
                "\(request.source) is not stored: \(error)",
                hint: "see to the file that is named"
            )
        }
        if error.isNotFound, error.path == request.source {
            return PushFailure(
                .notFound,
                "\(request.source) is not there",
                hint: "archive_command runs in the data directory; give %p as the last argument"
            )
        }
        let hint =
            switch error.errno {
            case ENOSPC, EDQUOT: "make room in \(request.archive); until then the server keeps its WAL"
            case EFBIG: "raise the limit of file sizes (ulimit -f) for the server's user"
            case EACCES, EPERM: "let the server's user write to \(request.archive) and read its own pg_wal"
            case EROFS: "the filesystem of \(request.archive) is read-only: see the kernel's log for why"
            default: "see to the disk, or the connection to it; it is tried again"
            }
        return PushFailure(
            .trouble,
            "\(request.source) is not stored: \(error)",
            hint: hint,
            isOfArchive: error.path != request.source
        )
    }
}
