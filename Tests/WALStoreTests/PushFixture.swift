import ArchiveTesting
import Foundation
import Platform
import Testing
import WALFormat
import WALStore

/// A data directory with real segments in pg_wal, and an empty archive.
struct PushFixture {
    let original: RealArchive
    let directory: TestDirectory
    let data: String
    let archive: String

    static func with<Result>(
        on kind: TestFilesystem.Kind = .plain,
        _ body: (PushFixture) throws -> Result
    ) throws -> Result {
        let original = try RealArchive.shared.get()
        return try TestDirectory.with { directory in
            try TestFilesystem.with(kind, in: directory, megabytes: 400) { filesystem in
                let place = kind == .plain ? directory.path : filesystem.path
                let data = "\(place)/data"
                let archive = "\(place)/archive"
                try TestCommand("/bin/mkdir", ["-p", "\(data)/pg_wal", archive]).succeed()
                try ArchiveMark.write(archive, systemIdentifier: original.systemIdentifier)
                try TestCommand("/bin/cp", ["-a", "\(original.copies)/.", "\(data)/pg_wal"]).succeed()
                return try body(
                    PushFixture(original: original, directory: directory, data: data, archive: archive)
                )
            }
        }
    }

    /// A segment in the middle, with many records.
    var name: SegmentName { original.name(of: original.records[2000].start) }

    func source(_ name: some CustomStringConvertible) -> String { "\(data)/pg_wal/\(name)" }
    func stored(_ name: some CustomStringConvertible) -> String { "\(archive)/\(name)" }

    func put(_ bytes: Data, as name: some CustomStringConvertible) throws {
        try SpoiltFile.write(bytes, to: source(name))
    }

    /// The names in the archive, sorted, without its mark.
    var files: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: archive).sorted().filter { $0 != ArchiveMark.name }
        }
    }

    func arguments(_ name: some CustomStringConvertible, _ options: [String]? = nil) -> [String] {
        ["push"] + (options ?? ["--to", archive]) + ["pg_wal/\(name)"]
    }

    /// As for a container.
    var asContainer: [String] {
        ["--archive", archive, "--system-identifier", "\(original.systemIdentifier)", "--segment-size", "1048576"]
    }

    /// Runs the program as the archiver does: in the data directory.
    func push(
        _ name: some CustomStringConvertible,
        _ options: [String]? = nil,
        environment: [String: String] = [:]
    ) throws -> CommandResult {
        var command = TestCommand(try BuiltPrograms.pgarchiveWAL(), arguments(name, options), environment: environment)
        command.workingDirectory = data
        return try command.run()
    }

    func content(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }
}
