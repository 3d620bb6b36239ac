/// What a record says that recovery targets, the index or the clones' settings need.
package enum WALEvent: Hashable, Sendable {
    case commit(TransactionEnd)
    case abort(TransactionEnd)
    case prepare(PreparedTransaction)
    case checkpoint(Checkpoint)
    case endOfRecovery(timeline: TimelineID, previousTimeline: TimelineID, time: PostgresTime)
    case parameterChange(ParameterChange)
    case restorePoint(name: String, time: PostgresTime)
    case fullPageWritesChange(Bool)
    case switchSegment
    case overwriteContrecord(overwritten: LSN, time: PostgresTime)
    case backupEnd(start: LSN)
    case tablespaceCreate(oid: UInt32, path: String)
    case tablespaceDrop(oid: UInt32)
    case databaseCreate(DatabaseCreation)
    case databaseDrop(database: UInt32, tablespaces: [UInt32])

    /// The end of a transaction, also of a prepared one.
    package struct TransactionEnd: Hashable, Sendable {
        package var time: PostgresTime
        /// The transaction that ended, for a prepared one its own and not the record's; 0 where the record has none.
        package var transactionID: UInt32
        package var isPrepared: Bool
        /// The database it was in; nil where the record does not say so.
        package var database: UInt32?
        package var subtransactionCount: Int
        package var droppedRelations: [RelationFile]
        /// False for a record too large to be looked at wholly: `droppedRelations` may lack some.
        package var isWhole: Bool
    }

    package struct PreparedTransaction: Hashable, Sendable {
        package var transactionID: UInt32
        package var time: PostgresTime
        package var database: UInt32
        package var globalID: String
    }

    package struct Checkpoint: Hashable, Sendable {
        package var redo: LSN
        package var timeline: TimelineID
        package var previousTimeline: TimelineID
        package var isShutdown: Bool
        package var fullPageWrites: Bool
        /// Epoch and transaction id that comes next.
        package var nextTransactionID: UInt64
        package var oldestActiveTransactionID: UInt32
        /// Whole seconds.
        package var time: PostgresTime
    }

    package struct ParameterChange: Hashable, Sendable {
        package var maxConnections: Int32
        package var maxWorkerProcesses: Int32
        package var maxWALSenders: Int32
        package var maxPreparedTransactions: Int32
        package var maxLocksPerTransaction: Int32
        package var walLevel: WALLevel?
    }

    package struct DatabaseCreation: Hashable, Sendable {
        package var database: UInt32
        package var tablespace: UInt32
        /// The template, when its files were copied (`STRATEGY = FILE_COPY`).
        package var copiedFrom: UInt32?
    }

    /// Reads the event out of a record's body as `SegmentScanner` hands it out; nil when it holds none of these, or is
    /// not as it should be.
    package static func decode(_ record: WALRecord, body: UnsafeRawBufferPointer, major: PostgresMajor) -> WALEvent? {
        nil
    }
}

/// A relation's files (PostgreSQL: `RelFileLocator`).
package struct RelationFile: Hashable, Sendable {
    package var tablespace: UInt32
    package var database: UInt32
    package var number: UInt32

    package init(tablespace: UInt32, database: UInt32, number: UInt32) {
        self.tablespace = tablespace
        self.database = database
        self.number = number
    }
}

/// The setting wal_level (PostgreSQL: `WalLevel`, xlog.h).
package enum WALLevel: Int32, Sendable {
    case minimal = 0
    case replica = 1
    case logical = 2
}
