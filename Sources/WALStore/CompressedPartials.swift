internal import Glibc
internal import Platform
internal import WALFormat

/// Partial segments as pg_receivewal leaves them when it compresses: `NAME.gz.partial`, `NAME.lz4.partial`.
///
/// A receiver goes on with plain ones only: of a compressed stream that was cut only the beginning can be had, and
/// nothing can be added to it.
struct CompressedPartials {
    let archive: WALDirectory

    /// Makes plain ones of those that the archive ends with, durably, each before its compressed file is removed.
    ///
    /// Killed anywhere, it leaves the compressed file, or a plain one with the same WAL, or both.
    func expand(_ names: [ArchiveFileName]) throws {
        guard let timeline = names.compactMap({ $0.segment?.timeline }).max() else { return }
        let completes = Set(names.filter { $0.form?.isComplete ?? false }.compactMap(\.segment))
        for case .compressedPartialSegment(let name, let form) in names where name.timeline == timeline {
            let stored = StoredSegment(name: name, form: form, bytes: 0)
            if completes.contains(name) {
                try removeDouble(stored)
            } else {
                try expand(stored)
            }
        }
    }

    private func expand(_ stored: StoredSegment) throws {
        let plain = StoredSegment(name: stored.name, form: .partial, bytes: 0)
        let source = archive.path(of: stored)
        let target = archive.path(of: plain)
        let temporary = DurableFile.temporaryName(for: target)
        defer { unlink(temporary) }
        let length = try write(stored, to: temporary)
        if FileTree.exists(target) {
            // Begun by another program, or by a run with another compression: the longer one has all of the shorter.
            let known = try archive.reader(of: plain)
            let common = try commonBytes(known, try archive.reader(of: stored))
            let hasAll = try common == length || isEmpty(target, from: common)
            guard hasAll else {
                _ = try SuspectFile.keep(source, as: source)
                return
            }
            if common < length { try DurableFile.rename(temporary, target) }
        } else {
            try DurableFile.rename(temporary, target)
        }
        try FaultPoint.pass("partials.beforeRemove")
        try DurableFile.remove(source)
    }

    private func write(_ stored: StoredSegment, to path: String) throws -> UInt64 {
        let reader = try archive.reader(of: stored)
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
        fchmod(file.raw, try FileTree.status(reader.path).mode)
        var length: UInt64 = 0
        try withSegmentBuffer { buffer in
            while true {
                let count = try reader.read(into: buffer)
                if count == 0 { break }
                try file.writeAll(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
                length += UInt64(count)
            }
        }
        try file.sync()
        return length
    }

    /// Of a segment that is complete by now; what is not its beginning stays, and disturbs nobody.
    private func removeDouble(_ stored: StoredSegment) throws {
        guard let complete = try archive.open(stored.name, completeOnly: true) else { return }
        let length = try SegmentBytes.count(of: archive.reader(of: stored))
        guard try commonBytes(complete, archive.reader(of: stored)) == length else { return }
        try DurableFile.remove(archive.path(of: stored))
    }

    /// How many bytes both begin with.
    private func commonBytes(_ one: SegmentReader, _ other: SegmentReader) throws -> UInt64 {
        var common: UInt64 = 0
        return try withSegmentBuffer { left in
            try withSegmentBuffer { right in
                while true {
                    let counts = (try one.read(into: left), try other.read(into: right))
                    let count = min(counts.0, counts.1)
                    let same = (0..<count).first { left[$0] != right[$0] } ?? count
                    common += UInt64(same)
                    if same < left.count { return common }
                }
            }
        }
    }

    private func isEmpty(_ path: String, from offset: UInt64) throws -> Bool {
        let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
        var offset = Int64(clamping: offset)
        while true {
            let bytes = try file.bytes(at: offset, count: 1 << 20)
            if bytes.isEmpty { return true }
            if bytes.contains(where: { $0 != 0 }) { return false }
            offset += Int64(bytes.count)
        }
    }
}
