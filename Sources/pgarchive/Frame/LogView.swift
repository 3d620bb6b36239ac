import ArchiveModel
import Glibc
import Platform

/// Shows a log: whole, through a pager on a terminal, or followed as it grows.
struct LogView {
    /// Lines from the end that following begins with, as `tail -f`.
    private static let tailLines = 10

    /// Where the log is now; another file after a rotation, nil before there is one.
    let current: () throws -> String?
    /// The directory in which it lies, and in which the next one will appear.
    let directory: String
    /// For messages: "the standby's log".
    let what: String

    /// A log that is always the same file.
    init(file: String, what: String) {
        self.current = { FileTree.exists(file) ? file : nil }
        self.directory = FilePath.parent(of: file)
        self.what = what
    }

    /// The newest of the files in a directory that have one of the suffixes and are not empty.
    init(newestIn directory: String, suffixes: [String], except: String? = nil, what: String) {
        self.current = {
            guard FileTree.isDirectory(directory) else { return nil }
            return try FileTree.list(directory)
                .filter { name in name != except && suffixes.contains { name.hasSuffix($0) } }
                .map { FilePath.join(directory, $0) }
                .compactMap { path in (try? FileTree.status(path)).map { (path, $0) } }
                .filter { $0.1.bytes > 0 }
                .max { ($0.1.modified, $0.0) < ($1.1.modified, $1.0) }?.0
        }
        self.directory = directory
        self.what = what
    }

    /// The newest of a PostgreSQL server's logs: CSV, and what it says before that begins.
    init(serverLogsIn directory: String, what: String) {
        self.init(newestIn: directory, suffixes: [".csv", ".log"], except: "recovery.log", what: what)
    }

    func show() throws {
        guard let path = try current() else { throw absent }
        if Terminal.isTerminal(STDOUT_FILENO), let pager = Self.pager {
            var environment = Handover.environment
            // A log that fits the screen needs no key to leave it; git does the same.
            if environment["LESS"] == nil { environment["LESS"] = "FRX" }
            _ = try Handover.run("/bin/sh", ["-c", pager], environment: environment, input: .file(path))
            return
        }
        try FollowedFile(path, tailLines: nil).writeNew()
    }

    /// The last lines, for a summary.
    func lastLines(_ count: Int) throws -> [String] {
        guard let path = try current() else { return [] }
        return try FollowedFile(path, tailLines: count).rest()
    }

    /// The user's pager; an empty PAGER means none.
    private static var pager: String? {
        guard let given = Terminal.environment("PAGER") else {
            return FileTree.exists("/usr/bin/less") ? "/usr/bin/less" : nil
        }
        return given.contains { !$0.isWhitespace } ? given : nil
    }

    private var absent: ArchiveError {
        ArchiveError(.notFound, "\(what) is not there yet", hint: "it begins when what writes it first runs")
    }

    /// Shows the end of the log and then what is added to it, until the reader goes away or Ctrl-C.
    func follow() throws {
        guard FileTree.isDirectory(directory) else { throw absent }
        let watch = try FileWatch()
        try watch.add(directory, [.modified, .created, .movedTo])
        // A file that comes up again, as two logs of one server may in turn, goes on where it was left.
        var seen: [UInt64: Int64] = [:]
        var followed = try current().map { try FollowedFile($0, tailLines: Self.tailLines) }
        while !StandardOutput.isClosed {
            try followed?.writeNew()
            if let path = try current(), try followed?.isSuperseded(by: path) ?? true {
                if let followed {
                    try followed.writeNew()
                    seen[followed.inode] = followed.offset
                }
                let next = try FollowedFile(path, tailLines: nil)
                next.offset = seen[next.inode] ?? 0
                followed = next
                continue
            }
            // A pipe whose reader has gone reports it unasked.
            let ready = try Poll.wait([PollItem(watch.raw), PollItem(STDOUT_FILENO, [])])
            if !ready[1].isEmpty { return }
            _ = try watch.read()
        }
    }
}

/// A growing file and how far it has been shown.
private final class FollowedFile {
    /// The most that is looked through for the last lines.
    private static let tailBytes: Int64 = 256 << 10

    private let file: Descriptor
    let inode: UInt64
    /// How far it has been shown.
    var offset: Int64 = 0

    /// Begins with the last `tailLines` lines, or with all when it is nil.
    init(_ path: String, tailLines: Int?) throws {
        file = try Descriptor.open(path, O_RDONLY)
        inode = UInt64(try file.status().st_ino)
        if let tailLines { offset = try Self.start(of: tailLines, in: file) }
    }

    /// Whether what is at `path` now is another file, as after a rotation.
    func isSuperseded(by path: String) throws -> Bool {
        // One that vanishes in between is looked at again with the next event.
        (try? FileTree.status(path).inode).map { $0 != inode } ?? false
    }

    /// Writes what has been added; a file that was cut, as by a weekly rotation, begins anew.
    func writeNew() throws {
        if try file.size() < offset { offset = 0 }
        while !StandardOutput.isClosed {
            let bytes = try file.bytes(at: offset, count: 64 << 10)
            if bytes.isEmpty { return }
            try bytes.withUnsafeBytes { try StandardOutput.write($0) }
            offset += Int64(bytes.count)
        }
    }

    func rest() throws -> [String] {
        let bytes = try file.bytes(at: offset, count: Int(Self.tailBytes))
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static func start(of lines: Int, in file: borrowing Descriptor) throws -> Int64 {
        let size = try file.size()
        let from = max(0, size - tailBytes)
        let bytes = try file.bytes(at: from, count: Int(size - from))
        var position = bytes.endIndex
        // The newline that ends the last line begins none.
        if bytes.last == 0x0A { position -= 1 }
        for _ in 0..<lines {
            guard let newline = bytes[..<position].lastIndex(of: 0x0A) else { return from }
            position = newline
        }
        return from + Int64(position) + 1
    }
}
