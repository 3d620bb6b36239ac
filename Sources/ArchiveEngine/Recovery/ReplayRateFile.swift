package import ArchiveModel
import Platform

/// How quickly recoveries went in a container; losing it costs a prediction.
package struct ReplayRateFile: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    package func read() -> ReplayRate {
        (try? JSONFile.read(ReplayRate.self, from: container.paths.replayRate)) ?? .assumed
    }

    func learn(bytes: UInt64, seconds: Double) {
        try? JSONFile.put(container.paths.replayRate, with: read().learning(bytes: bytes, seconds: seconds))
    }
}
