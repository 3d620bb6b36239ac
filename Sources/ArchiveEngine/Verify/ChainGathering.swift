import ArchiveModel
import Glibc
import Platform
import WALFormat
import WALStore

/// Gathers the facts of an archive: first what needs it, then what it has, so that the archive is the newer one.
struct ChainGathering {
    /// Nil for a directory of its own.
    let container: Container?
    let directory: WALDirectory
    let systemIdentifier: UInt64?

    init(_ container: Container) {
        self.container = container
        directory = container.walDirectory
        systemIdentifier = container.identity.systemIdentifier
    }

    /// A directory of anybody's: of which cluster it is, and its segment size, most of its segments tell.
    init(directory path: String) throws {
        guard FileTree.isDirectory(path) else {
            throw ArchiveError(.notFound, "there is no directory '\(path)'", hint: "-D names a directory of segments")
        }
        let names = try FileTree.list(path).compactMap { StoredName($0) }
        guard !names.isEmpty else {
            throw ArchiveError(
                .notFound,
                "there are no WAL segments in '\(path)'",
                hint: "-D names the directory that holds them"
            )
        }
        var votes: [Vote: Int] = [:]
        let step = max(1, names.count / 32)
        for index in stride(from: 0, to: names.count, by: step) {
            if let vote = Vote(names[index], in: path) { votes[vote, default: 0] += 1 }
        }
        guard let most = votes.max(by: { ($0.value, $1.key.size) < ($1.value, $0.key.size) })?.key,
            let size = SegmentSize(bytes: most.size)
        else {
            throw ArchiveError(
                .verificationFailed,
                "no segment in '\(path)' begins with a page of WAL of PostgreSQL 15 to 18",
                hint: "-D names the directory that holds the segments"
            )
        }
        container = nil
        directory = WALDirectory(path, segmentSize: size)
        systemIdentifier = most.systemIdentifier
    }

    var major: PostgresMajor? { container?.expectation.major }

    func gather() throws -> ChainFacts {
        var facts = ChainFacts(segmentSize: directory.segmentSize, systemIdentifier: systemIdentifier)
        if let container {
            try addRoots(of: container, to: &facts)
            addReach(of: container, to: &facts)
        }
        var forms: [SegmentName: [StoredSegment]] = [:]
        for name in try FileTree.list(directory.path) { try add(name, to: &facts, &forms) }
        for (name, stored) in forms where stored.count > 1 {
            if let duplicate = try compared(name, stored) { facts.duplicates.append(duplicate) }
        }
        facts.files = forms.values.flatMap { stored in stored.map(file) }.sorted {
            ($0.name.timeline.rawValue, $0.name.logID, $0.name.segmentInLog, $0.preference)
                < ($1.name.timeline.rawValue, $1.name.logID, $1.name.segmentInLog, $1.preference)
        }
        facts.duplicates.sort { $0.name.description < $1.name.description }
        return facts
    }

    // MARK: - What needs it

    private func addRoots(of container: Container, to facts: inout ChainFacts) throws {
        let snapshots = try SnapshotCatalog(container).contents()
        for damaged in snapshots.damaged { facts.damagedSnapshots[damaged.name] = damaged.problem }
        facts.roots = snapshots.records.map {
            ChainFacts.Root(
                kind: .snapshot,
                name: $0.name,
                timeline: $0.timeline,
                redo: $0.redo,
                consistent: $0.consistent,
                time: $0.earliestTarget
            )
        }
        for clone in try CloneCatalog(container).all() where clone.state == .creating || clone.state == .created {
            facts.roots.append(
                ChainFacts.Root(
                    kind: .clone,
                    name: clone.name,
                    timeline: clone.path.timeline(at: LSN(max(clone.stop.rawValue, 1) - 1)),
                    redo: clone.redo,
                    consistent: clone.stop
                )
            )
        }
        guard let control = try? ControlFileReader.read(container.paths.standbyTree) else { return }
        let isRecovering = control.minRecoveryPointTimeline.rawValue > 0
        facts.roots.append(
            ChainFacts.Root(
                kind: .standby,
                name: "standby",
                timeline: isRecovering ? control.minRecoveryPointTimeline : control.checkpointTimeline,
                redo: control.checkpointRedo,
                consistent: max(control.minRecoveryPoint, control.checkpointRedo)
            )
        )
    }

    private func addReach(of container: Container, to facts: inout ChainFacts) {
        guard let status = try? JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus),
            status.durable.isValid, status.timeline.rawValue > 0
        else { return }
        facts.reaches[status.timeline] = status.durable
    }

    // MARK: - What it has

    private func add(_ name: String, to facts: inout ChainFacts, _ forms: inout [SegmentName: [StoredSegment]]) throws {
        if let stored = StoredName(name) {
            guard stored.name.number(size: directory.segmentSize) != nil else {
                facts.impossibleNames.append(name)
                return
            }
            guard let status = try? FileTree.status(FilePath.join(directory.path, name)) else { return }
            forms[stored.name, default: []].append(
                StoredSegment(name: stored.name, form: stored.form, bytes: UInt64(max(0, status.bytes)))
            )
        } else if case .history(let timeline)? = ArchiveFileName(name) {
            do {
                facts.histories[timeline] = try directory.history(timeline)
            } catch StoreError.badHistory(_, let error) {
                facts.badHistories[timeline] = "\(error)"
            } catch {
                facts.badHistories[timeline] = "\(error)"
            }
        } else if ArchiveFileName(name) == nil, !isOurs(name) {
            facts.otherNames.append(name)
        }
    }

    /// Files of ours that are no WAL of the archive: temporary ones, what was set aside.
    private func isOurs(_ name: String) -> Bool {
        WALDirectory.isOurs(name) || DurableFile.temporaryOwner(name: name) != nil
    }

    private func file(_ stored: StoredSegment) -> ChainFacts.File {
        var file = ChainFacts.File(
            name: stored.name,
            suffix: stored.form.suffix,
            isComplete: stored.form.isComplete,
            bytes: stored.bytes
        )
        guard stored.form.isComplete, stored.bytes > 0, let start = stored.name.start(size: directory.segmentSize)
        else {
            return file
        }
        do {
            file.firstPage = try firstPage(stored, at: start)
            file.contentBytes = try directory.contentBytes(of: stored)
        } catch let error as SystemError where error.isNotFound {
            // Compressed or expired meanwhile.
        } catch {
            file.firstPage = .unreadable("\(error)")
        }
        return file
    }

    private func firstPage(_ stored: StoredSegment, at start: LSN) throws -> ChainFacts.File.FirstPage {
        let header = try directory.reader(of: stored).header
        // What is shorter has a wrong size, or is no WAL at all.
        guard header.count == SegmentReader.headerBytes else {
            return stored.form == .plain ? .unread : .unreadable("it holds no page of WAL")
        }
        var scanner = SegmentScanner(
            startingAt: start,
            segmentSize: directory.segmentSize,
            expectation: .init(major: major)
        )
        header.withUnsafeBytes { scanner.consume($0) }
        if let fault = scanner.fault { return .bad(fault) }
        guard let identifier = scanner.systemIdentifier, let timeline = scanner.pageTimeline else { return .unread }
        return .read(systemIdentifier: identifier, timeline: timeline)
    }

    /// Two files of one segment; nil where there is only one by now.
    private func compared(_ name: SegmentName, _ stored: [StoredSegment]) throws -> ChainFacts.Duplicate? {
        let complete = stored.filter(\.form.isComplete)
        guard complete.count > 1, let first = complete.first else { return nil }
        var isEqual = true
        for other in complete.dropFirst() {
            do {
                isEqual = try isEqual && haveSameContent(first, other)
            } catch is StoreError {
                isEqual = false
            } catch let error as SystemError {
                if error.isNotFound { return nil }
                isEqual = false
            }
        }
        return ChainFacts.Duplicate(name: name, files: complete.map(\.fileName), isEqual: isEqual)
    }

    private func haveSameContent(_ one: StoredSegment, _ other: StoredSegment) throws -> Bool {
        try SegmentCheck.haveSameContent(try directory.reader(of: one), try directory.reader(of: other))
    }

    /// The files that a segment has now, in any form.
    func files(of name: SegmentName) throws -> [StoredSegment] {
        try StoredSegment.Form.allCases.compactMap { form in
            do throws(SystemError) {
                let status = try FileTree.status(FilePath.join(directory.path, "\(name)\(form.suffix)"))
                return StoredSegment(name: name, form: form, bytes: UInt64(max(0, status.bytes)))
            } catch {
                guard error.isNotFound else { throw error }
                return nil
            }
        }
    }
}

/// A file name that is a segment's, in any form.
struct StoredName {
    let name: SegmentName
    let form: StoredSegment.Form

    init?(_ text: String) {
        guard text.utf8.count >= 24, let name = SegmentName(String(text.prefix(24))),
            let form = StoredSegment.Form.allCases.first(where: { $0.suffix == text.dropFirst(24) })
        else { return nil }
        self.name = name
        self.form = form
    }
}

extension ChainFacts.File {
    /// The order in which readers look for the forms of a segment.
    fileprivate var preference: Int {
        StoredSegment.Form.allCases.firstIndex { $0.suffix == suffix } ?? Int.max
    }
}

/// What one segment's first page says of its cluster.
private struct Vote: Hashable {
    let systemIdentifier: UInt64
    let size: UInt64

    init?(_ stored: StoredName, in path: String) {
        let segment = StoredSegment(name: stored.name, form: stored.form, bytes: 0)
        let directory = WALDirectory(path, segmentSize: .standard)
        guard let reader = try? SegmentReader(segment, path: directory.path(of: segment), start: .invalid),
            reader.major != nil, let size = reader.segmentSize, reader.header.count >= SegmentReader.headerBytes
        else { return nil }
        systemIdentifier = reader.header[24..<32].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        self.size = size.bytes
    }
}
