import Glibc
import Platform
import WALFormat

/// Stores a timeline's history, or a backup's: small files whose text says what they are.
struct TextPush {
    private static let limitBytes = 1 << 20

    let request: PushRequest
    let name: ArchiveFileName

    private var path: String { FilePath.join(request.archive, name.description) }

    func store() throws -> ArchivePush.Outcome {
        let bytes = try FileTree.read(request.source, limit: Self.limitBytes)
        if let reason = fault(bytes) { throw PushedSegment.damaged(request.source, reason) }
        for _ in 0..<4 {
            guard let existing = try existing() else {
                let file = try NewFile(in: request.archive)
                try file.write(bytes)
                do throws(SystemError) {
                    try file.publish(as: name.description)
                    return .stored
                } catch {
                    guard error.isTaken else { throw error }
                    continue
                }
            }
            if existing == bytes {
                try DurableFile.syncFile(path)
                try DurableFile.syncDirectory(request.archive)
                return .present
            }
            guard isTorn(existing, of: bytes) else { throw conflict() }
            try setAside()
        }
        throw PushFailure(.trouble, "\(path) is being changed by others", hint: "it is tried again")
    }

    /// Why the content is not what the name says; nil when it may be.
    private func fault(_ bytes: [UInt8]) -> String? {
        let text = String(decoding: bytes, as: UTF8.self)
        switch name {
        case .history(let timeline):
            do throws(FormatError) {
                _ = try TimelineHistory(timeline: timeline, text: text)
                return bytes.isEmpty ? "it is empty" : nil
            } catch {
                return "\(error)"
            }
        case .backupHistory(let segment, _):
            return text.contains("(file \(segment))") ? nil : "it does not name segment \(segment)"
        default: return "it is neither a history nor a backup's"
        }
    }

    /// Whether a copy was interrupted that would have become ours.
    ///
    /// A history that is whole may be the beginning of another one: a timeline that was left without any WAL of its own
    /// stands in the histories of those alone that saw it.
    private func isTorn(_ existing: [UInt8], of bytes: [UInt8]) -> Bool {
        guard bytes.starts(with: existing) else { return false }
        guard case .history = name else { return true }
        return existing.last != UInt8(ascii: "\n")
    }

    private func existing() throws -> [UInt8]? {
        do throws(SystemError) {
            return try FileTree.read(path, limit: Self.limitBytes)
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    private func setAside() throws {
        for number in 1...1000 {
            do throws(SystemError) {
                return try DurableFile.renameNew(path, "\(path).torn-\(number)")
            } catch {
                guard error.isTaken else { throw error }
            }
        }
    }

    private func conflict() -> PushFailure {
        var text = "\(path) has other content than \(request.source); nothing was overwritten"
        let evidence = "\(path).conflict-1"
        if request.systemIdentifier != nil {
            if !FileTree.exists(evidence) { try? DurableFile.copy(request.source, to: evidence) }
            if FileTree.exists(evidence) { text += "; this one is \(evidence)" }
        }
        return PushFailure(
            .conflict,
            text,
            hint: "two servers may have been promoted to one timeline: let only one of them archive here"
        )
    }
}
