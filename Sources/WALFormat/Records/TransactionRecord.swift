/// Which parts a commit or abort record has (`XACT_XINFO_HAS_…`, access/xact.h); they come in the order read below.
private struct TransactionInfo: OptionSet {
    let rawValue: UInt32

    static let database = TransactionInfo(rawValue: 1 << 0)
    static let subtransactions = TransactionInfo(rawValue: 1 << 1)
    static let relations = TransactionInfo(rawValue: 1 << 2)
    static let invalidations = TransactionInfo(rawValue: 1 << 3)
    static let twoPhase = TransactionInfo(rawValue: 1 << 4)
    static let droppedStatistics = TransactionInfo(rawValue: 1 << 8)
}

extension WALEvent.TransactionEnd {
    /// `xl_xact_commit` or `xl_xact_abort` (access/xact.h; `ParseCommitRecord`, xactdesc.c).
    init(_ record: WALRecord, _ main: MainData, _ major: PostgresMajor) throws(FormatError) {
        var reader = ByteReader(main.bytes)
        let hasInfo = record.info & 0x80 != 0
        time = PostgresTime(rawValue: try reader.little())
        let info = TransactionInfo(rawValue: hasInfo ? try reader.little() : 0)
        let opcode = record.info & 0x70
        isPrepared = opcode == 0x30 || opcode == 0x40
        transactionID = isPrepared ? 0 : record.transactionID
        subtransactionCount = 0
        subtransactions = []
        droppedRelations = []
        droppedOIDs = []
        isWhole = true
        if info.contains(.database) {
            database = try reader.little()
            try reader.skip(4)
        }
        do throws(FormatError) {
            try readLists(&reader, info, major)
        } catch {
            guard !main.isWhole else { throw error }
            isWhole = false
        }
    }

    private mutating func readLists(
        _ reader: inout ByteReader,
        _ info: TransactionInfo,
        _ major: PostgresMajor
    ) throws(FormatError) {
        if info.contains(.subtransactions) {
            subtransactionCount = Int(try reader.little(Int32.self))
            let there = min(subtransactionCount, reader.remaining / 4)
            guard there >= 0 else { throw .invalid("negative count") }
            subtransactions.reserveCapacity(there)
            for _ in 0..<there { subtransactions.append(try reader.little()) }
            guard there == subtransactionCount else { throw .invalid("subtransactions are missing") }
        }
        if info.contains(.relations) {
            let count = Int(try reader.little(Int32.self))
            guard count >= 0 else { throw .invalid("negative count") }
            // Reserved by what is there, not by what a count says.
            droppedRelations.reserveCapacity(min(count, reader.remaining / 12))
            for _ in 0..<count {
                let tablespace: UInt32 = try reader.little()
                let database: UInt32 = try reader.little()
                let number: UInt32 = try reader.little()
                droppedRelations.append(RelationFile(tablespace: tablespace, database: database, number: number))
            }
        }
        if info.contains(.droppedStatistics) {
            try readDroppedStatistics(&reader, major)
        }
        if info.contains(.invalidations) {
            let count = Int(try reader.little(Int32.self))
            try skipElements(count, 16, &reader)
        }
        if info.contains(.twoPhase) {
            transactionID = try reader.little()
        }
    }

    /// `xl_xact_stats_item`: kind, database, object; a relation's kind is 2 (`PGSTAT_KIND_RELATION`).
    private mutating func readDroppedStatistics(
        _ reader: inout ByteReader,
        _ major: PostgresMajor
    ) throws(FormatError) {
        let relation: UInt32 = 2
        let count = Int(try reader.little(Int32.self))
        guard count >= 0 else { throw .invalid("negative count") }
        for _ in 0..<count {
            let kind: UInt32 = try reader.little()
            try reader.skip(4)
            let object: UInt32 = try reader.little()
            try reader.skip(major.droppedStatisticsBytes &- 12)
            if kind == relation { droppedOIDs.append(object) }
        }
    }

    private func skipElements(_ count: Int, _ size: Int, _ reader: inout ByteReader) throws(FormatError) {
        guard 0...(reader.remaining / size) ~= count else {
            throw .truncated("transaction record", needed: count, found: reader.remaining / size)
        }
        try reader.skip(count &* size)
    }
}

extension WALEvent.PreparedTransaction {
    /// `xl_xact_prepare` (access/xact.h): 72 bytes, then the global identifier.
    init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ByteReader(bytes)
        try reader.skip(8)
        transactionID = try reader.little()
        database = try reader.little()
        time = PostgresTime(rawValue: try reader.little())
        try reader.skip(30)
        let length = Int(try reader.little(UInt16.self))
        try reader.skip(16)
        var name = ByteReader(try reader.take(length))
        globalID = name.cString()
    }
}

extension PostgresMajor {
    /// `xl_xact_stats_item`: from 18 on its object id has 64 bits.
    fileprivate var droppedStatisticsBytes: Int { self >= .v18 ? 16 : 12 }
}
