/// The main data of a heap record that changes one row (`xl_heap_insert`, `_delete`, `_update`, heapam_xlog.h).
struct HeapChange {
    /// The row's item on its page; of an update the new row's.
    private(set) var item: UInt16 = 0
    private(set) var oldItem: UInt16 = 0
    /// A delete that takes back an insert of the same command (ON CONFLICT): there was no row.
    private(set) var isNotThere = false
    /// A delete that is half of an update, from one partition to another.
    private(set) var isMove = false

    private static let isSuper: UInt8 = 1 << 3
    private static let isPartitionMove: UInt8 = 1 << 4

    init(_ change: TransactionTable.Change, _ main: UnsafeRawBufferPointer) {
        var reader = ByteReader(main)
        do throws(FormatError) {
            switch change {
            case .insert: item = try reader.little()
            case .delete:
                try reader.skip(4)
                item = try reader.little()
                try reader.skip(1)
                let flags: UInt8 = try reader.little()
                isNotThere = flags & Self.isSuper != 0
                isMove = flags & Self.isPartitionMove != 0
            case .update:
                try reader.skip(4)
                oldItem = try reader.little()
                try reader.skip(6)
                item = try reader.little()
            }
        } catch {
            // Shorter than any server writes it: a row at no place.
        }
    }
}

extension RelationFile {
    init(_ reader: inout ByteReader) throws(FormatError) {
        tablespace = try reader.little()
        database = try reader.little()
        number = try reader.little()
    }
}
