import CZstd

/// Any number of zstd frames, each checked by its checksum where it has one.
final class ZstdDecoder: SegmentDecoder {
    private let stream: OpaquePointer

    init() throws(CodecFault) {
        guard let stream = ZSTD_createDStream() else { throw CodecFault(reason: "no memory") }
        self.stream = stream
    }

    deinit { ZSTD_freeDStream(stream) }

    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> DecoderStep {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let outstanding = ZSTD_decompressStream(stream, &target, &source)
        let isFault = ZSTD_isError(outstanding) != 0
        return DecoderStep(
            consumed: source.pos,
            produced: target.pos,
            isBetweenFrames: outstanding == 0,
            fault: isFault ? String(cString: ZSTD_getErrorName(outstanding)) : nil
        )
    }
}

/// One zstd frame with a checksum and the content's size.
final class ZstdEncoder: SegmentEncoder {
    private let context: OpaquePointer
    private let space: UnsafeMutableRawBufferPointer

    init(level: Int32?, inputBytes: UInt64) throws(CodecFault) {
        guard let context = ZSTD_createCCtx() else { throw CodecFault(reason: "no memory") }
        self.context = context
        space = .allocate(byteCount: ZSTD_CStreamOutSize(), alignment: 16)
        try check(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level ?? ZSTD_defaultCLevel()))
        try check(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))
        try check(ZSTD_CCtx_setPledgedSrcSize(context, inputBytes))
    }

    deinit {
        ZSTD_freeCCtx(context)
        space.deallocate()
    }

    func encode(_ input: UnsafeRawBufferPointer, write: (UnsafeRawBufferPointer) throws -> Void) throws {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var isDone = false
        while !isDone {
            var target = ZSTD_outBuffer(dst: space.baseAddress, size: space.count, pos: 0)
            let directive = input.isEmpty ? ZSTD_e_end : ZSTD_e_continue
            let left = try check(ZSTD_compressStream2(context, &target, &source, directive))
            try write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(space)[..<target.pos]))
            isDone = input.isEmpty ? left == 0 : source.pos == source.size
        }
    }

    @discardableResult
    private func check(_ result: Int) throws(CodecFault) -> Int {
        guard ZSTD_isError(result) == 0 else { throw CodecFault(reason: String(cString: ZSTD_getErrorName(result))) }
        return result
    }
}
