internal import Glibc
internal import Platform

/// The CSV logs of a local server: one file for each day of the week, emptied when its day comes again.
package struct ServerLog: Sendable, Hashable {
    package let directory: String

    package init(directory: String) { self.directory = directory }

    /// What a server needs to write such logs.
    package var settings: [(name: String, value: String)] {
        [
            ("logging_collector", "on"),
            ("log_destination", "csvlog"),
            ("log_directory", directory),
            ("log_filename", "postgresql-%a.log"),
            ("log_truncate_on_rotation", "on"),
            ("log_rotation_age", "1d"),
            ("log_rotation_size", "0"),
            ("log_file_mode", "0600"),
        ]
    }

    /// The file being written, nil before the first start.
    ///
    /// Found by its time of change: the server chooses names by its own clock and zone.
    package func newestFile() -> String? {
        let files = csvFiles().map { (path: $0, modified: (try? FileTree.status($0))?.modified ?? 0) }
        return files.max { $0.modified < $1.modified }?.path
    }

    /// Where the commands that the server runs write, beside the newest CSV file; nil before one of them has.
    package func commandsFile() -> String? {
        guard let newest = newestFile() else { return nil }
        let path = "\(newest.dropLast(4)).log"
        return (try? FileTree.size(path)).map { $0 > 0 } == true ? path : nil
    }

    /// The last entries of the newest file, oldest first.
    package func tail(_ count: Int) -> [ServerLogEntry] {
        guard let path = newestFile(), let size = try? FileTree.size(path) else { return [] }
        let window = min(size, 512 << 10)
        return Self.entries(in: path, from: size - window).suffix(count)
    }

    func csvFiles() -> [String] {
        let names = (try? FileTree.list(directory)) ?? []
        return names.filter { $0.hasSuffix(".csv") }.map { FilePath.join(directory, $0) }
    }

    static func entries(in path: String, from offset: Int64) -> [ServerLogEntry] {
        ServerLogEntry.parse(FileEnding.read(path, from: offset, limitBytes: 4 << 20))
    }
}

/// The part of a file after an offset.
enum FileEnding {
    /// Empty when there is no such file; from its start when it has become shorter than `offset`.
    static func read(_ path: String, from offset: Int64, limitBytes: Int64) -> [UInt8] {
        do throws(SystemError) {
            let file = try Descriptor.open(path, O_RDONLY)
            let size = try file.size()
            let start = max(offset <= size ? offset : 0, size - limitBytes)
            return try file.bytes(at: start, count: Int(max(0, size - start)))
        } catch {
            return []
        }
    }
}
