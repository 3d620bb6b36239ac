import Foundation
import Testing

/// A filesystem of its own for one test; everything but `plain` is mounted, which needs root.
package final class TestFilesystem: Sendable {
    package enum Kind: String, Sendable, CaseIterable, CustomTestStringConvertible {
        /// A btrfs in an image file.
        case btrfs
        /// An xfs with reflinks in an image file.
        case xfs
        /// A directory in /tmp.
        case plain
        case tmpfs
        /// A directory of another host, by SFTP; here the other host is this one.
        case sshfs

        package var testDescription: String { rawValue }

        /// Whether this machine can make one.
        package var isAvailable: Bool {
            self == .plain || TestEnvironment.canMount && (self != .sshfs || TestEnvironment.hasSSHFS)
        }

        /// Ends the running case as skipped, with the reason, where this machine cannot make one.
        package func orSkip() throws {
            guard isAvailable else { try Test.cancel(TestEnvironment.noMount) }
        }

        /// The kinds that end-to-end tests run on, also those that cannot be made here: they are skipped by name.
        package static let forContainers: [Kind] = [.btrfs, .xfs, .plain]

        /// For tests of which one kind is enough: a plain directory stands in for a btrfs that is skipped.
        package static let btrfsOrElsePlain: [Kind] = Kind.btrfs.isAvailable ? [.btrfs] : [.btrfs, .plain]
    }

    package let kind: Kind
    /// The root of the filesystem; belongs to the containers' owner.
    package let path: String
    private let image: String?

    /// Makes and mounts it below `directory`.
    package init(_ kind: Kind, in directory: TestDirectory, megabytes: Int = 2048, name: String = "fs") throws {
        self.kind = kind
        path = try directory.subdirectory(name, mode: 0o755)
        switch kind {
        case .plain:
            image = nil
        case .tmpfs:
            image = nil
            let options = "size=\(megabytes)m,mode=0755,uid=\(TestEnvironment.owner.uid)"
            try TestCommand.asCaller("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]).succeed()
        case .sshfs:
            image = nil
            let server = "\(directory.path)/\(name).server"
            let become = "runuser -u \(TestEnvironment.owner.name) --"
            try Data("#!/bin/sh\nexec \(become) \(TestEnvironment.sftpServer)\n".utf8).write(to: URL(filePath: server))
            try TestCommand.asCaller("chmod", ["755", server]).succeed()
            let shared = try directory.subdirectory("\(name).shared", mode: 0o755)
            let options = "allow_other,ssh_command=\(server)"
            try TestCommand.asCaller("sshfs", ["-o", options, "localhost:\(shared)", path]).succeed()
        case .btrfs, .xfs:
            let file = "\(directory.path)/\(name).img"
            image = file
            try TestCommand.asCaller("truncate", ["-s", "\(megabytes)M", file]).succeed()
            let make = kind == .btrfs ? ["mkfs.btrfs", "-q", file] : ["mkfs.xfs", "-q", "-m", "reflink=1", file]
            try TestCommand.asCaller(make[0], Array(make.dropFirst())).succeed()
            let options = kind == .btrfs ? "loop,noatime,user_subvol_rm_allowed" : "loop,noatime"
            try TestCommand.asCaller("mount", ["-o", options, file, path]).succeed()
            try TestDirectory.giveToOwner(path)
        }
    }

    /// Runs a test's body on a filesystem which is unmounted afterwards, also when the body throws.
    package static func with<Result>(
        _ kind: Kind,
        in directory: TestDirectory,
        megabytes: Int = 2048,
        _ body: (TestFilesystem) throws -> Result
    ) throws -> Result {
        let filesystem = try TestFilesystem(kind, in: directory, megabytes: megabytes)
        do {
            let result = try body(filesystem)
            try filesystem.unmount()
            return result
        } catch {
            // A failed test's image is kept with its directory; its mount and loop device are not.
            try? filesystem.unmount()
            throw error
        }
    }

    /// Unmounts; lazily when something still holds it, and says what.
    package func unmount() throws {
        guard kind != .plain, isMounted else { return }
        // A process that another test is just starting holds our descriptors for a moment.
        for _ in 0..<500 {
            if try TestCommand.asCaller("umount", [path]).run().status == 0 { return }
            usleep(20_000)
        }
        let holders = ProcessTable.living(in: path).map(\.description).joined(separator: "\n")
        try TestCommand.asCaller("umount", ["-l", path]).succeed()
        throw TestFailure("\(path) was still in use:\n\(holders)")
    }

    package var isMounted: Bool { MountedFilesystems.points().contains(path) }
}

/// Mount points and loop devices, as the kernel lists them.
package enum MountedFilesystems {
    package static func points() -> [String] {
        (ProcessTable.contents("/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            return fields.count > 4 ? unescaped(String(fields[4])) : nil
        }
    }

    package static func points(under path: String) -> [String] {
        points().filter { $0 == path || $0.hasPrefix(path + "/") }
    }

    /// The backing files of attached loop devices that lie at or below `path`.
    package static func loopImages(under path: String) -> [String] {
        let devices = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/block")) ?? []
        return devices.filter { $0.hasPrefix("loop") }.compactMap { device in
            ProcessTable.contents("/sys/block/\(device)/loop/backing_file")?.trimmingCharacters(in: .newlines)
        }.filter { $0.hasPrefix(path + "/") }
    }

    /// mountinfo writes space, tab, newline and backslash as three octal digits.
    private static func unescaped(_ text: String) -> String {
        text.replacingOccurrences(of: "\\040", with: " ").replacingOccurrences(of: "\\011", with: "\t")
            .replacingOccurrences(of: "\\012", with: "\n").replacingOccurrences(of: "\\134", with: "\\")
    }
}
