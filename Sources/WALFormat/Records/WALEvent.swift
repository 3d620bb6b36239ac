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
        /// The database it was in; nil where the record does not say so (it does with changed catalogs).
        package var database: UInt32?
        package var subtransactionCount: Int
        /// As many as the scanner handed out of a record with very many (see `isWhole`).
        package var subtransactions: [UInt32]
        package var droppedRelations: [RelationFile]
        /// The oids of dropped relations, by their statistics (not those of files that were merely replaced).
        package var droppedOIDs: [UInt32]
        /// False for a record too large to be looked at wholly: the lists may lack some.
        package var isWhole: Bool

        package init(
            time: PostgresTime,
            transactionID: UInt32,
            isPrepared: Bool,
            database: UInt32?,
            subtransactionCount: Int,
            subtransactions: [UInt32] = [],
            droppedRelations: [RelationFile],
            droppedOIDs: [UInt32] = [],
            isWhole: Bool
        ) {
            self.time = time
            self.transactionID = transactionID
            self.isPrepared = isPrepared
            self.database = database
            self.subtransactionCount = subtransactionCount
            self.subtransactions = subtransactions
            self.droppedRelations = droppedRelations
            self.droppedOIDs = droppedOIDs
            self.isWhole = isWhole
        }
    }

    package struct PreparedTransaction: Hashable, Sendable {
        package var transactionID: UInt32
        package var time: PostgresTime
        package var database: UInt32
        package var globalID: String

        package init(
            transactionID: UInt32,
            time: PostgresTime,
            database: UInt32,
            globalID: String
        ) {
            self.transactionID = transactionID
            self.time = time
            self.database = database
            self.globalID = globalID
        }
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

        package init(
            redo: LSN,
            timeline: TimelineID,
            previousTimeline: TimelineID,
            isShutdown: Bool,
            fullPageWrites: Bool,
            nextTransactionID: UInt64,
            oldestActiveTransactionID: UInt32,
            time: PostgresTime
        ) {
            self.redo = redo
            self.timeline = timeline
            self.previousTimeline = previousTimeline
            self.isShutdown = isShutdown
            self.fullPageWrites = fullPageWrites
            self.nextTransactionID = nextTransactionID
            self.oldestActiveTransactionID = oldestActiveTransactionID
            self.time = time
        }
    }

    package struct ParameterChange: Hashable, Sendable, Codable {
        package var maxConnections: Int32
        package var maxWorkerProcesses: Int32
        package var maxWALSenders: Int32
        package var maxPreparedTransactions: Int32
        package var maxLocksPerTransaction: Int32
        package var walLevel: WALLevel?

        package init(
            maxConnections: Int32,
            maxWorkerProcesses: Int32,
            maxWALSenders: Int32,
            maxPreparedTransactions: Int32,
            maxLocksPerTransaction: Int32,
            walLevel: WALLevel?
        ) {
            self.maxConnections = maxConnections
            self.maxWorkerProcesses = maxWorkerProcesses
            self.maxWALSenders = maxWALSenders
            self.maxPreparedTransactions = maxPreparedTransactions
            self.maxLocksPerTransaction = maxLocksPerTransaction
            self.walLevel = walLevel
        }
    }

    package struct DatabaseCreation: Hashable, Sendable {
        package var database: UInt32
        package var tablespace: UInt32
        /// The template, when its files were copied (`STRATEGY = FILE_COPY`).
        package var copiedFrom: UInt32?

        package init(
            database: UInt32,
            tablespace: UInt32,
            copiedFrom: UInt32?
        ) {
            self.database = database
            self.tablespace = tablespace
            self.copiedFrom = copiedFrom
        }
    }
}

/// A relation's files (PostgreSQL: `RelFileLocator`).
package struct RelationFile: Hashable, Sendable, Codable {
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
package enum WALLevel: Int32, Sendable, Codable {
    case minimal = 0
    case replica = 1
    case logical = 2
}
