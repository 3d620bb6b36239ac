import ArchiveModel

/// The parts of a container that a supervisor keeps running.
package enum Part: String, Codable, CaseIterable, Sendable {
    case walArchive = "wal_archive"
    case standby
}

/// What the user wants to run, kept across restarts (`run/desired.json`).
package struct DesiredState: Codable, Hashable, Sendable {
    package var running: Set<Part>

    package init(running: Set<Part>) {
        self.running = running
    }

    package static func read(_ container: Container) throws -> DesiredState {
        try JSONFile.read(DesiredState.self, from: container.paths.desiredState) ?? DesiredState(running: [])
    }

    package func write(_ container: Container) throws {
        try JSONFile.replace(container.paths.desiredState, with: self)
    }
}
