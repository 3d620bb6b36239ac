internal import Platform
internal import WALFormat
internal import WALStore

/// What an archive's own files say of the cluster they come from.
struct ArchiveFacts {
    var segmentSize: SegmentSize?
    var systemIdentifier: UInt64?
    var histories: [TimelineID: TimelineHistory] = [:]
    /// Files that cannot be read, which is no reason not to go on.
    var problems: [String] = []

    /// Reads the newest segment's first page header, and the history files.
    static func read(_ directory: String) throws -> ArchiveFacts {
        var facts = ArchiveFacts()
        let names = try FileTree.list(directory).compactMap { ArchiveFileName($0) }
        let directory = WALDirectory(directory, segmentSize: .standard)
        for case .history(let timeline) in names {
            do {
                facts.histories[timeline] = try directory.history(timeline)
            } catch {
                facts.problems.append("\(error)")
            }
        }
        for name in names.sorted(by: { $0.description > $1.description }) {
            // The segment size is what we are after, so addresses mean nothing yet.
            guard let segment = name.segment, let stored = try directory.locate(segment),
                let reader = try? SegmentReader(stored, path: directory.path(of: stored), start: .invalid),
                let header = SegmentHeader(reader.header)
            else { continue }
            facts.segmentSize = header.segmentSize
            facts.systemIdentifier = header.systemIdentifier
            break
        }
        return facts
    }

    /// Why these files cannot be gone on with, by what is demanded; nil when they can.
    func mismatch(with options: ReceiverOptions) -> String? {
        if let wanted = options.systemIdentifier, let found = systemIdentifier, wanted != found {
            return "the archive holds WAL of the cluster \(found), not of \(wanted)"
        }
        if let wanted = options.segmentSize, let found = segmentSize, wanted != found {
            return "the archive holds segments of \(found), not of \(wanted)"
        }
        return nil
    }
}

/// The long header of a segment's first page (PostgreSQL: `XLogLongPageHeaderData`).
private struct SegmentHeader {
    let systemIdentifier: UInt64
    let segmentSize: SegmentSize

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 40 else { return nil }
        func little(_ offset: Int, _ count: Int) -> UInt64 {
            (0..<count).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
        }
        guard PostgresMajor(pageMagic: UInt16(truncatingIfNeeded: little(0, 2))) != nil,
            let size = SegmentSize(bytes: little(32, 4))
        else { return nil }
        systemIdentifier = little(24, 8)
        segmentSize = size
    }
}
