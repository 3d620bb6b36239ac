import ArchiveModel
import Platform
import PostgresLink
package import WALFormat

/// Waits for a moment at which a snapshot leaves its clones little to replay.
///
/// The debt is smallest right after a restartpoint on a checkpoint that the standby has just replayed. So one such
/// restartpoint is waited for and no more: where upstream's checkpoints lie far apart, any later moment is worse.
package struct SnapshotMoment: Sendable {
    /// Between two requests for a restartpoint; one that has no newer checkpoint to be made of costs nothing.
    private static let intervalMilliseconds: Int32 = 1_000

    let container: Container
    let interruption: Interruption

    package init(_ container: Container, interruption: Interruption) {
        self.container = container
        self.interruption = interruption
    }

    /// What a snapshot taken now would leave to replay.
    package struct Debt: Sendable {
        package let bytes: UInt64
        package let redo: LSN
    }

    package enum Ending: Sendable {
        /// The debt is small.
        case little
        /// A newer restartpoint was waited for, and made.
        case restartpoint
        /// None could be made in time: the standby has replayed no newer checkpoint.
        case timeOver
        /// The standby does not answer or does not replay: taking the snapshot tells what is wrong.
        case unfit
    }

    /// - Parameters:
    ///   - seconds: how long to wait at most.
    ///   - waiting: told once, when there is something to wait for.
    package func wait(seconds: Double, waiting: (Debt) throws -> Void) throws -> Ending {
        let deadline = Deadline(seconds: seconds)
        do {
            let connection = try LocalLink.connect(container: container, port: StandbyConfiguration.port)
            defer { connection.close() }
            try connection.execute("SET statement_timeout = 0")
            guard let first = try restartpoint(connection) else { return .unfit }
            if first.bytes <= container.settings.snapshotDebtBytes { return .little }
            if !deadline.hasPassed { try waiting(first) }
            while !deadline.hasPassed {
                try interruption.pause(milliseconds: min(Self.intervalMilliseconds, deadline.millisecondsLeft))
                guard let debt = try restartpoint(connection) else { return .unfit }
                if debt.redo > first.redo { return .restartpoint }
            }
            return .timeOver
        } catch is LinkError {
            try interruption.check()
            return .unfit
        }
    }

    /// Asks for a restartpoint.
    ///
    /// - Returns: nil where the standby is held or paused, and comes to no newer one by itself.
    private func restartpoint(_ connection: SQLConnection) throws -> Debt? {
        try connection.execute("CHECKPOINT", interrupt: interruption.descriptor)
        let probe = try StandbyProbe(container: container, connection: connection)
        if probe.isPaused || StandbyHold.read(container) != nil { return nil }
        let redo = probe.control.checkpointRedo
        return Debt(bytes: probe.replayed.bytes(since: redo), redo: redo)
    }
}
