/// What a record that refers to no blocks says: its body without the data headers (xlogrecord.h).
struct MainData {
    private static let shortID: UInt8 = 255
    private static let longID: UInt8 = 254
    private static let originID: UInt8 = 253
    private static let topTransactionID: UInt8 = 252

    let bytes: UnsafeRawBufferPointer
    /// False when the scanner handed out only the beginning of a large body.
    let isWhole: Bool

    /// Nil for records with block references, and for bodies that make no sense.
    init?(record: WALRecord, body: UnsafeRawBufferPointer) {
        let isCut = body.count < Int(record.totalLength) &- RecordHeader.size
        var reader = ByteReader(body)
        do throws(FormatError) {
            while reader.remaining > 0 {
                switch try reader.little(UInt8.self) {
                case Self.originID: try reader.skip(2)
                case Self.topTransactionID: try reader.skip(4)
                case Self.shortID:
                    let count = Int(try reader.little(UInt8.self))
                    bytes = try reader.take(count)
                    isWhole = true
                    return
                case Self.longID:
                    let count = Int(try reader.little(UInt32.self))
                    guard isCut || count <= reader.remaining else { return nil }
                    isWhole = count <= reader.remaining
                    bytes = try reader.take(min(count, reader.remaining))
                    return
                default: return nil
                }
            }
        } catch {
            return nil
        }
        bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        isWhole = true
    }
}
