/// A cursor over bytes from outside: each step is checked, none can trap or leave the buffer.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    /// Always in 0...bytes.count.
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var remaining: Int { bytes.count &- offset }

    /// The next number, little-endian, as every supported server stores it.
    mutating func little<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type = T.self) throws(FormatError) -> T {
        guard remaining >= MemoryLayout<T>.size else { throw tooShort(MemoryLayout<T>.size) }
        let value = bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
        offset &+= MemoryLayout<T>.size
        return T(littleEndian: value)
    }

    /// Steps over `count` bytes; a negative count is an error like one that is too large.
    mutating func skip(_ count: Int) throws(FormatError) {
        guard 0...remaining ~= count else { throw tooShort(count) }
        offset &+= count
    }

    mutating func take(_ count: Int) throws(FormatError) -> UnsafeRawBufferPointer {
        let start = offset
        try skip(count)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
    }

    /// A count (a C int) of elements of `size` bytes that follow; all of them must be there.
    mutating func count(ofElements size: Int) throws(FormatError) -> Int {
        let count = Int(try little(Int32.self))
        guard count >= 0, count <= remaining / size else { throw tooShort(count) }
        return count
    }

    /// The text up to a zero byte or the end, the zero included in what is read.
    mutating func cString() -> String {
        let rest = bytes[offset...]
        let end = rest.firstIndex(of: 0) ?? rest.endIndex
        let text = String(decoding: rest[..<end], as: UTF8.self)
        offset = min(end &+ 1, bytes.count)
        return text
    }

    private func tooShort(_ needed: Int) -> FormatError {
        .truncated("data", needed: needed, found: remaining)
    }
}
