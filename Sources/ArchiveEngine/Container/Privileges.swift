import ArchiveModel
import Foundation
import Glibc
import Platform

/// Everything runs as the container's owner; root is used for mounting only.
package enum Privileges {
    /// Becomes `owner` for the rest of this process when it runs as root, and checks that it is the owner otherwise.
    package static func become(owner name: String) throws {
        guard let owner = try SystemUser.named(name) else {
            throw ArchiveError(
                .failed,
                "the container's owner, user '\(name)', does not exist here",
                hint: "create the user, or give another one with --owner at init"
            )
        }
        if geteuid() == 0, owner.uid != 0 {
            try owner.become()
        } else if geteuid() != owner.uid {
            throw ArchiveError(
                .refused,
                "the container belongs to user '\(name)', and this is '\((try? SystemUser.current().name) ?? "?")'",
                hint: "run it as '\(name)' or as root"
            )
        }
        // A shell's umask must not open what belongs to the owner alone.
        Glibc.umask(0o077)
    }

    /// The owner of an existing container, by its identity file.
    package static func becomeOwner(of container: Container) throws {
        try become(owner: container.identity.owner)
    }
}

/// The programs of this package, wherever they are installed.
package enum ThisProgram {
    /// This program's file; the new one where it was replaced meanwhile, as an upgrade does.
    package static func path() throws -> String {
        let path = try FileTree.linkTarget("/proc/self/exe")
        // The kernel's mark for a file that is gone (proc(5)).
        let mark = " (deleted)"
        guard path.hasSuffix(mark) else { return path }
        let replaced = String(path.dropLast(mark.count))
        return FileTree.exists(replaced) ? replaced : "/proc/self/exe"
    }

    /// `pgarchive-wal`, beside this program or on the PATH.
    package static func walHelper() throws -> String {
        if let given = ProcessInfo.processInfo.environment["PGARCHIVE_WAL"], !given.isEmpty { return given }
        let own = try path()
        let directory = own.split(separator: "/").dropLast().joined(separator: "/")
        let beside = "/\(directory)/pgarchive-wal"
        if FileTree.exists(beside) { return beside }
        for folder in (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") {
            let candidate = "\(folder)/pgarchive-wal"
            if FileTree.exists(candidate) { return candidate }
        }
        throw ArchiveError(
            .failed,
            "pgarchive-wal was not found beside '\(own)'",
            hint: "install both programs into one directory ('make install' does)"
        )
    }
}
