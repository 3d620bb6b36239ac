import Platform
import WALFormat

/// A compressed segment's file read as a stream.
///
/// It holds a fixed amount of memory, whatever the file says of itself, and gives no more than a segment's bytes.
final class Decompression {
    private let path: String
    private let decoder: any SegmentDecoder
    /// Its end, or what cannot be decompressed, ends the content: it was never written further.
    private let isPartial: Bool
    /// How many bytes may still come.
    private var room: UInt64
    private let inputSpace: UnsafeMutableRawBufferPointer
    private var input: Slice<UnsafeRawBufferPointer>
    /// Bytes taken out before they were asked for.
    private var ahead: [UInt8] = []
    /// Nothing of a frame is outstanding.
    private var betweenFrames = true
    private var ended = false
    /// The last call filled its output, so that the decoder may hold more without new input.
    private var mayHoldOutput = false

    /// Nil for a form that is not compressed.
    init?(_ form: StoredSegment.Form, path: String, limit: UInt64) throws {
        do throws(CodecFault) {
            guard let decoder = try form.decoder() else { return nil }
            self.decoder = decoder
        } catch {
            throw StoreError.badCompression(path: path, reason: error.reason)
        }
        self.path = path
        isPartial = !form.isComplete
        room = limit
        inputSpace = .allocate(byteCount: 128 << 10, alignment: 16)
        input = UnsafeRawBufferPointer(inputSpace)[..<0]
    }

    deinit { inputSpace.deallocate() }

    /// The first bytes, which `read` gives again; only before any `read`.
    func peek(_ count: Int, from file: borrowing Descriptor) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let filled = try bytes.withUnsafeMutableBytes { try read(into: $0, from: file) }
        ahead = Array(bytes.prefix(filled))
        return ahead
    }

    /// Fills the buffer; fewer bytes only at the end.
    ///
    /// The last byte of a whole segment is given only when the checksum behind it is right.
    func read(into buffer: UnsafeMutableRawBufferPointer, from file: borrowing Descriptor) throws -> Int {
        var filled = min(ahead.count, buffer.count)
        buffer.copyBytes(from: ahead.prefix(filled))
        ahead.removeFirst(filled)
        while filled < buffer.count, room > 0, !ended {
            filled += try decode(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]), from: file)
        }
        if room == 0, !ended {
            try withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { space in
                while !ended { _ = try decode(into: space, from: file) }
            }
        }
        return filled
    }

    private func decode(
        into output: UnsafeMutableRawBufferPointer,
        from file: borrowing Descriptor
    ) throws -> Int {
        if input.isEmpty, !mayHoldOutput {
            let count = try file.read(into: inputSpace)
            if count == 0 {
                guard betweenFrames || isPartial else { throw bad("it ends too early") }
                ended = true
                return 0
            }
            input = UnsafeRawBufferPointer(inputSpace)[..<count]
        }
        let step = decoder.decode(UnsafeRawBufferPointer(rebasing: input), into: output)
        guard UInt64(step.produced) <= room else { throw bad("it holds more than a segment") }
        room -= UInt64(step.produced)
        input = input.dropFirst(step.consumed)
        betweenFrames = step.isBetweenFrames
        let isFilled = step.produced == output.count
        let isStuck = step.consumed == 0 && step.produced == 0 && !input.isEmpty
        if let fault = step.fault ?? (isStuck ? "it makes no sense" : nil) {
            guard isPartial else { throw bad(fault) }
            ended = true
        }
        mayHoldOutput = !betweenFrames && isFilled
        return step.produced
    }

    private func bad(_ reason: String) -> StoreError { .badCompression(path: path, reason: reason) }
}
