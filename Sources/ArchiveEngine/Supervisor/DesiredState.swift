import ArchiveModel
import Platform

/// The parts of a container that a supervisor keeps running.
package enum Part: String, Codable, CaseIterable, Sendable {
    case walArchive = "wal_archive"
    case standby
}

/// What the user wants to run, kept across restarts (`run/desired.json`).
///
/// Without the file nothing particular was asked for: a supervisor that is started then runs all parts. An empty set
/// was asked for, part by part.
package struct DesiredState: Codable, Hashable, Sendable {
    package var running: Set<Part>

    package init(running: Set<Part>) {
        self.running = running
    }

    package static func read(_ container: Container) throws -> DesiredState? {
        try JSONFile.read(DesiredState.self, from: container.paths.desiredState)
    }

    /// Replaces it by what `change` makes of it, nil meaning no file; one process and thread at a time.
    package static func change(
        _ container: Container,
        _ change: (DesiredState?) -> DesiredState?
    ) throws {
        let lock = try HeldLock.acquire(container.paths.desiredLock, wait: 30, description: "what is wanted to run")
        defer { lock.release() }
        let before = try read(container)
        let after = change(before)
        guard after != before else { return }
        if let after {
            try JSONFile.replace(container.paths.desiredState, with: after)
        } else {
            try DurableFile.remove(container.paths.desiredState)
        }
    }
}
