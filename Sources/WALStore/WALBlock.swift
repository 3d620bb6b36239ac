package import WALFormat

/// Received WAL on its way to a segment's file.
///
/// It begins anywhere and ends at the latest where the next MB of WAL begins, so that it never crosses a segment's
/// end. A whole one can be written past the page cache. For one thread at a time.
package final class WALBlock: @unchecked Sendable {
    /// Divides every segment size of PostgreSQL's.
    package static let capacity: UInt64 = 1 << 20
    /// What O_DIRECT demands of memory and offsets: a sector at least, a page suits all.
    private static let alignment = 4096

    private let memory: UnsafeMutableRawPointer
    package private(set) var start = LSN.invalid
    private var count = 0
    /// The end of the last complete record up to the end of this block.
    package private(set) var recordEnd = LSN.invalid
    /// Segments that end at or before it hold no part of a record that is still open.
    package private(set) var releasable = LSN.invalid

    package init() {
        memory = .allocate(byteCount: Int(Self.capacity), alignment: Self.alignment)
    }

    deinit { memory.deallocate() }

    /// Empties it for WAL from `start` on.
    package func begin(at start: LSN) {
        self.start = start
        count = 0
        recordEnd = .invalid
        releasable = .invalid
    }

    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }
    package var end: LSN { start.advanced(by: UInt64(count)) }
    package var isFull: Bool { room == 0 }
    /// It is full and has been so from its first byte on.
    package var isWhole: Bool { count == Int(Self.capacity) }

    private var room: Int { Self.room(at: start) - count }

    /// How many bytes follow up to where a block ends.
    package static func room(at position: LSN) -> Int {
        Int(capacity - position.rawValue % capacity)
    }

    /// Takes bytes that follow its end, at most as many as there is room for.
    package func append(_ bytes: UnsafeRawBufferPointer, recordEnd: LSN, releasable: LSN) {
        let taken = bytes.prefix(room)
        UnsafeMutableRawBufferPointer(start: memory + count, count: taken.count)
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: taken))
        count += taken.count
        self.recordEnd = recordEnd
        self.releasable = releasable
    }
}
