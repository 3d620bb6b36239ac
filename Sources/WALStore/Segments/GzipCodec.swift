import CZlib

/// Any number of gzip members, each checked by its CRC.
final class GzipDecoder: SegmentDecoder {
    /// zlib keeps its address.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isMemberOver = true

    init() throws(CodecFault) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // The largest window, and gzip's header only.
        let result = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else { throw CodecFault(reason: "zlib says \(result)") }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> DecoderStep {
        if isMemberOver, !input.isEmpty {
            inflateReset(stream)
            isMemberOver = false
        }
        // It reads through this pointer only.
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        )
        stream.pointee.avail_in = UInt32(clamping: input.count)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(clamping: output.count)
        let result = inflate(stream, Z_NO_FLUSH)
        isMemberOver = result == Z_STREAM_END
        var step = DecoderStep(
            consumed: min(input.count, Int(UInt32.max)) - Int(stream.pointee.avail_in),
            produced: min(output.count, Int(UInt32.max)) - Int(stream.pointee.avail_out),
            isBetweenFrames: isMemberOver
        )
        // Z_BUF_ERROR: there was nothing to do, which is no fault.
        if ![Z_OK, Z_STREAM_END, Z_BUF_ERROR].contains(result) {
            step.fault = stream.pointee.msg.map { String(cString: $0) } ?? "zlib says \(result)"
        }
        return step
    }
}

/// One gzip member.
final class GzipEncoder: SegmentEncoder {
    private let stream: UnsafeMutablePointer<z_stream>
    private let space: UnsafeMutableRawBufferPointer

    init(level: Int32?) throws(CodecFault) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        space = .allocate(byteCount: 128 << 10, alignment: 16)
        // What deflateInit2 has by default, with gzip's header.
        let result = deflateInit2_(
            stream,
            level ?? Z_DEFAULT_COMPRESSION,
            Z_DEFLATED,
            15 + 16,
            8,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size)
        )
        guard result == Z_OK else { throw CodecFault(reason: "zlib says \(result)") }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        space.deallocate()
    }

    func encode(_ input: UnsafeRawBufferPointer, write: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let source = UInt32(exactly: input.count) else { throw CodecFault(reason: "too much at once") }
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        )
        stream.pointee.avail_in = source
        while true {
            stream.pointee.next_out = space.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(clamping: space.count)
            let result = deflate(stream, input.isEmpty ? Z_FINISH : Z_NO_FLUSH)
            guard [Z_OK, Z_STREAM_END, Z_BUF_ERROR].contains(result) else {
                throw CodecFault(reason: "zlib says \(result)")
            }
            let room = Int(stream.pointee.avail_out)
            try write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(space)[..<(space.count - room)]))
            if input.isEmpty ? result == Z_STREAM_END : room > 0 { return }
        }
    }
}
