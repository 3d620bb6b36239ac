extension WALEvent {
    /// Reads the event out of a record's body as `SegmentScanner` hands it out.
    ///
    /// Nil when the record holds none of the events, or is not as it should be.
    package static func decode(_ record: WALRecord, body: UnsafeRawBufferPointer, major: PostgresMajor) -> WALEvent? {
        guard let main = MainData(record: record, body: body) else { return nil }
        var reader = ByteReader(main.bytes)
        do throws(FormatError) {
            switch record.resourceManager {
            case ResourceManager.xlog: return try xlog(record.info & 0xF0, &reader)
            case ResourceManager.transaction: return try transaction(record, main, major)
            case ResourceManager.database: return try database(record.info & 0xF0, &reader)
            case ResourceManager.tablespace: return try tablespace(record.info & 0xF0, &reader)
            default: return nil
            }
        } catch {
            return nil
        }
    }

    /// The opcodes of pg_control.h, the structures of pg_control.h and xlog_internal.h.
    private static func xlog(_ opcode: UInt8, _ reader: inout ByteReader) throws(FormatError) -> WALEvent? {
        switch opcode {
        case 0x00: return .checkpoint(try Checkpoint(&reader, isShutdown: true))
        case 0x10: return .checkpoint(try Checkpoint(&reader, isShutdown: false))
        case 0x40: return .switchSegment
        case 0x50: return .backupEnd(start: LSN(try reader.little()))
        case 0x60: return .parameterChange(try ParameterChange(&reader))
        case 0x70:
            let time = PostgresTime(rawValue: try reader.little())
            return .restorePoint(name: reader.cString(), time: time)
        case 0x80: return .fullPageWritesChange(try reader.little(UInt8.self) != 0)
        case 0x90:
            let time = PostgresTime(rawValue: try reader.little())
            let timeline = TimelineID(try reader.little())
            return .endOfRecovery(timeline: timeline, previousTimeline: TimelineID(try reader.little()), time: time)
        case 0xD0:
            let overwritten = LSN(try reader.little())
            return .overwriteContrecord(overwritten: overwritten, time: PostgresTime(rawValue: try reader.little()))
        default: return nil
        }
    }

    private static func transaction(
        _ record: WALRecord,
        _ main: MainData,
        _ major: PostgresMajor
    ) throws(FormatError) -> WALEvent? {
        switch record.info & 0x70 {
        case 0x00, 0x30: return .commit(try TransactionEnd(record, main, major))
        case 0x20, 0x40: return .abort(try TransactionEnd(record, main, major))
        case 0x10: return .prepare(try PreparedTransaction(main.bytes))
        default: return nil
        }
    }

    /// The opcodes of dbcommands_xlog.h from 15 on (before that 10 was DROP).
    private static func database(_ opcode: UInt8, _ reader: inout ByteReader) throws(FormatError) -> WALEvent? {
        switch opcode {
        case 0x00, 0x10:
            let database: UInt32 = try reader.little()
            let tablespace: UInt32 = try reader.little()
            let source: UInt32? = opcode == 0x00 ? try reader.little() : nil
            return .databaseCreate(DatabaseCreation(database: database, tablespace: tablespace, copiedFrom: source))
        case 0x20:
            let database: UInt32 = try reader.little()
            var tablespaces: [UInt32] = []
            for _ in 0..<(try reader.count(ofElements: 4)) {
                tablespaces.append(try reader.little())
            }
            return .databaseDrop(database: database, tablespaces: tablespaces)
        default: return nil
        }
    }

    /// The opcodes of commands/tablespace.h.
    private static func tablespace(_ opcode: UInt8, _ reader: inout ByteReader) throws(FormatError) -> WALEvent? {
        let oid: UInt32 = try reader.little()
        switch opcode {
        case 0x00: return .tablespaceCreate(oid: oid, path: reader.cString())
        case 0x10: return .tablespaceDrop(oid: oid)
        default: return nil
        }
    }
}

extension WALEvent.Checkpoint {
    /// `CheckPoint` (pg_control.h); 17 and 18 keep wal_level in what was padding before.
    init(_ reader: inout ByteReader, isShutdown: Bool) throws(FormatError) {
        redo = LSN(try reader.little())
        timeline = TimelineID(try reader.little())
        previousTimeline = TimelineID(try reader.little())
        fullPageWrites = try reader.little(UInt8.self) != 0
        try reader.skip(7)
        nextTransactionID = try reader.little()
        try reader.skip(32)
        time = PostgresTime(unixSeconds: try reader.little())
        try reader.skip(8)
        oldestActiveTransactionID = try reader.little()
        self.isShutdown = isShutdown
    }
}

extension WALEvent.ParameterChange {
    /// `xl_parameter_change` (xlog_internal.h).
    init(_ reader: inout ByteReader) throws(FormatError) {
        maxConnections = try reader.little()
        maxWorkerProcesses = try reader.little()
        maxWALSenders = try reader.little()
        maxPreparedTransactions = try reader.little()
        maxLocksPerTransaction = try reader.little()
        walLevel = WALLevel(rawValue: try reader.little())
    }
}

extension PostgresTime {
    /// As pg_control and checkpoint records have it (`pg_time_t`).
    init(unixSeconds: Int64) {
        self.init(unixMicroseconds: unixSeconds.multipliedReportingOverflow(by: 1_000_000).partialValue)
    }
}
