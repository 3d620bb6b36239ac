import ArchiveModel
import Platform
import PostgresLink
import Synchronization

/// What the standby that runs was started with: asked of it once, since only a start can change it.
final class RunningParameters: Sendable {
    private let known = Mutex<(process: ProcessIdentity, parameters: HotStandbyParameters)?>(nil)

    /// Nil when it does not run, or does not answer now.
    func read(_ container: Container) -> HotStandbyParameters? {
        guard let process = PostgresServer.find(dataDirectory: container.paths.standbyTree.data)?.identity else {
            return nil
        }
        if let known = known.withLock({ $0 }), known.process == process { return known.parameters }
        guard let parameters = try? ask(container) else { return nil }
        known.withLock { $0 = (process, parameters) }
        return parameters
    }

    private func ask(_ container: Container) throws -> HotStandbyParameters? {
        let connection = try LocalLink.connect(container: container, port: StandbyConfiguration.port)
        defer { connection.close() }
        let row =
            try connection.query(
                """
                SELECT current_setting('max_connections'), current_setting('max_worker_processes'),
                       current_setting('max_wal_senders'), current_setting('max_prepared_transactions'),
                       current_setting('max_locks_per_transaction')
                """
            ).first ?? []
        let values = row.compactMap { $0.flatMap { Int32($0) } }
        guard values.count == 5 else { return nil }
        return HotStandbyParameters(
            maxConnections: values[0],
            maxWorkerProcesses: values[1],
            maxWALSenders: values[2],
            maxPreparedTransactions: values[3],
            maxLocksPerTransaction: values[4]
        )
    }
}
