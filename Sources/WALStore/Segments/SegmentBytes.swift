/// A segment's content in memory.
package final class SegmentBytes {
    private let space: UnsafeMutableRawBufferPointer
    package let count: Int

    /// Reads all that is left of `reader`, at most `capacity` bytes.
    init(_ reader: SegmentReader, capacity: Int) throws {
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: max(0, capacity), alignment: 4096)
        do {
            var filled = 0
            while filled < space.count {
                let read = try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: space[filled...]))
                if read == 0 { break }
                filled += read
            }
            self.space = space
            self.count = filled
        } catch {
            space.deallocate()
            throw error
        }
    }

    deinit { space.deallocate() }

    /// How many bytes are left of `reader`, which is read to its end.
    static func count(of reader: SegmentReader) throws -> UInt64 {
        try withSegmentBuffer { buffer in
            var total: UInt64 = 0
            while true {
                let count = try reader.read(into: buffer)
                if count == 0 { return total }
                total += UInt64(count)
            }
        }
    }

    /// Calls `body` with the bytes, which are valid during the call only.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(space)[..<count]))
    }
}
