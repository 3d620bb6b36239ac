package import WALFormat

/// The five settings which a hot standby must have at least as high as its primary had
/// (PostgreSQL: `CheckRequiredParameterValues`, xlogrecovery.c).
package struct HotStandbyParameters: Codable, Hashable, Sendable {
    package var maxConnections: Int32
    package var maxWorkerProcesses: Int32
    package var maxWALSenders: Int32
    package var maxPreparedTransactions: Int32
    package var maxLocksPerTransaction: Int32

    package init(
        maxConnections: Int32,
        maxWorkerProcesses: Int32,
        maxWALSenders: Int32,
        maxPreparedTransactions: Int32,
        maxLocksPerTransaction: Int32
    ) {
        self.maxConnections = maxConnections
        self.maxWorkerProcesses = maxWorkerProcesses
        self.maxWALSenders = maxWALSenders
        self.maxPreparedTransactions = maxPreparedTransactions
        self.maxLocksPerTransaction = maxLocksPerTransaction
    }

    package init(_ change: WALEvent.ParameterChange) {
        self.init(
            maxConnections: change.maxConnections,
            maxWorkerProcesses: change.maxWorkerProcesses,
            maxWALSenders: change.maxWALSenders,
            maxPreparedTransactions: change.maxPreparedTransactions,
            maxLocksPerTransaction: change.maxLocksPerTransaction
        )
    }

    /// Each value the larger of the two.
    package func raised(to other: HotStandbyParameters) -> HotStandbyParameters {
        HotStandbyParameters(
            maxConnections: max(maxConnections, other.maxConnections),
            maxWorkerProcesses: max(maxWorkerProcesses, other.maxWorkerProcesses),
            maxWALSenders: max(maxWALSenders, other.maxWALSenders),
            maxPreparedTransactions: max(maxPreparedTransactions, other.maxPreparedTransactions),
            maxLocksPerTransaction: max(maxLocksPerTransaction, other.maxLocksPerTransaction)
        )
    }

    /// As PostgreSQL's settings, in a fixed order.
    package var settings: [(name: String, value: String)] {
        [
            ("max_connections", String(maxConnections)),
            ("max_worker_processes", String(maxWorkerProcesses)),
            ("max_wal_senders", String(maxWALSenders)),
            ("max_prepared_transactions", String(maxPreparedTransactions)),
            ("max_locks_per_transaction", String(maxLocksPerTransaction)),
        ]
    }
}
