/// A block that a record changes (PostgreSQL: `XLogRecordBlockHeader` and what follows it, xlogrecord.h).
package struct BlockReference: Hashable, Sendable {
    package let relation: RelationFile
    /// 0 for the relation's own file; others are its free space map, visibility map, init fork.
    package let fork: UInt8
    package let block: UInt32
    /// What the record has of the page's image; nil without one.
    package let image: Image?

    package struct Image: Hashable, Sendable {
        package let length: UInt16
        package let holeOffset: UInt16
        package let holeLength: UInt16
    }
}

/// The parts of a record's body: the blocks' headers, then the main data's length; the data come behind them all.
package struct RecordParts {
    private static let maxBlockID: UInt8 = 32
    private static let hasImage: UInt8 = 0x10
    private static let sameRelation: UInt8 = 0x80
    private static let imageHasHole: UInt8 = 0x01
    /// PGLZ, LZ4, ZSTD.
    private static let imageIsCompressed: UInt8 = 0x1C

    private var reader: ByteReader
    private var relation: RelationFile?
    /// All of the body; nil when the scanner handed out only its beginning.
    private let whole: UnsafeRawBufferPointer?
    private(set) var mainLength = 0
    private var isOver = false
    private let length: Int
    /// Of all that was announced so far and comes behind the headers: where that begins, the headers end.
    private var dataLength = 0

    package init(_ record: WALRecord, body: UnsafeRawBufferPointer) {
        reader = ByteReader(body)
        length = Int(record.totalLength) &- RecordHeader.size
        whole = body.count == length ? body : nil
    }

    /// The next block; nil after the last, where the main data's length is known, and for a body that makes no sense.
    package mutating func nextBlock() -> BlockReference? {
        if isOver { return nil }
        let block = lookForBlock()
        isOver = block == nil
        return block
    }

    private mutating func lookForBlock() -> BlockReference? {
        do throws(FormatError) {
            while reader.remaining > 0, length &- reader.offset > dataLength {
                switch try reader.little(UInt8.self) {
                case 0...Self.maxBlockID: return try block()
                case 253: try reader.skip(2)
                case 252: try reader.skip(4)
                case 255:
                    mainLength = Int(try reader.little(UInt8.self))
                    return nil
                case 254:
                    mainLength = Int(try reader.little(UInt32.self))
                    return nil
                default: return nil
                }
            }
        } catch {
            return nil
        }
        return nil
    }

    private mutating func block() throws(FormatError) -> BlockReference {
        let flags: UInt8 = try reader.little()
        dataLength &+= Int(try reader.little(UInt16.self))
        var image: BlockReference.Image?
        if flags & Self.hasImage != 0 {
            let length: UInt16 = try reader.little()
            dataLength &+= Int(length)
            let holeOffset: UInt16 = try reader.little()
            let info: UInt8 = try reader.little()
            var holeLength: UInt16 = 0
            if info & Self.imageHasHole != 0 {
                let isCompressed = info & Self.imageIsCompressed != 0
                holeLength = isCompressed ? try reader.little() : UInt16(PageHeader.pageSize) &- length
            }
            image = .init(length: length, holeOffset: holeOffset, holeLength: holeLength)
        }
        if flags & Self.sameRelation == 0 {
            let tablespace: UInt32 = try reader.little()
            let database: UInt32 = try reader.little()
            relation = RelationFile(tablespace: tablespace, database: database, number: try reader.little())
        }
        guard let relation else { throw .invalid("a block without a relation") }
        return BlockReference(relation: relation, fork: flags & 0x0F, block: try reader.little(), image: image)
    }

    /// The main data, behind all blocks; nil when it is not all there.
    ///
    /// Call `nextBlock` to the end before.
    package func main() -> UnsafeRawBufferPointer? {
        guard let whole, mainLength <= reader.remaining else { return nil }
        return UnsafeRawBufferPointer(rebasing: whole[(whole.count &- mainLength)...])
    }
}

extension RelationFile {
    /// The relation whose own file (not another fork) a record's first block is of: what `RecordParts` would find, for
    /// the many records of which nothing else is wanted.
    @inline(__always)
    init?(firstBlockOf body: UnsafeRawBufferPointer) {
        guard body.count >= 20, let base = body.baseAddress else { return nil }
        let flags = base.load(fromByteOffset: 1, as: UInt8.self)
        guard base.load(as: UInt8.self) == 0, flags & 0x8F == 0 else { return nil }
        var offset = 4
        if flags & 0x10 != 0 {
            let info = base.load(fromByteOffset: 8, as: UInt8.self)
            // A compressed image with a hole says how long the hole is.
            offset = info & 0x01 != 0 && info & 0x1C != 0 ? 11 : 9
            guard body.count >= offset &+ 16 else { return nil }
        }
        tablespace = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        database = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset &+ 4, as: UInt32.self))
        number = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt32.self))
    }
}
