import CLZ4

/// Any number of LZ4 frames, each checked by its checksums where it has some.
final class LZ4Decoder: SegmentDecoder {
    private let context: OpaquePointer

    init() throws(CodecFault) {
        var context: OpaquePointer?
        try checkLZ4(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION)))
        guard let context else { throw CodecFault(reason: "no memory") }
        self.context = context
    }

    deinit { LZ4F_freeDecompressionContext(context) }

    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> DecoderStep {
        var consumed = input.count
        var produced = output.count
        let outstanding = LZ4F_decompress(context, output.baseAddress, &produced, input.baseAddress, &consumed, nil)
        guard LZ4F_isError(outstanding) == 0 else {
            return DecoderStep(fault: String(cString: LZ4F_getErrorName(outstanding)))
        }
        return DecoderStep(consumed: consumed, produced: produced, isBetweenFrames: outstanding == 0)
    }
}

/// One LZ4 frame with a checksum and the content's size.
final class LZ4Encoder: SegmentEncoder {
    private let context: OpaquePointer
    private let inputBytes: UInt64
    private let level: Int32
    private var space: UnsafeMutableRawBufferPointer
    private var isBegun = false

    init(level: Int32?, inputBytes: UInt64) throws(CodecFault) {
        var context: OpaquePointer?
        try checkLZ4(LZ4F_createCompressionContext(&context, UInt32(LZ4F_VERSION)))
        guard let context else { throw CodecFault(reason: "no memory") }
        self.context = context
        self.inputBytes = inputBytes
        self.level = level ?? 0
        space = .allocate(byteCount: 64 << 10, alignment: 16)
    }

    deinit {
        LZ4F_freeCompressionContext(context)
        space.deallocate()
    }

    func encode(_ input: UnsafeRawBufferPointer, write: (UnsafeRawBufferPointer) throws -> Void) throws {
        var preferences = LZ4F_preferences_t()
        preferences.compressionLevel = level
        preferences.frameInfo.contentSize = inputBytes
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        let bound = LZ4F_compressBound(input.count, &preferences)
        if space.count < bound {
            space.deallocate()
            space = .allocate(byteCount: bound, alignment: 16)
        }
        func hand(_ count: Int) throws {
            try write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(space)[..<count]))
        }
        if !isBegun {
            isBegun = true
            try hand(checkLZ4(LZ4F_compressBegin(context, space.baseAddress, space.count, &preferences)))
        }
        if input.isEmpty {
            try hand(checkLZ4(LZ4F_compressEnd(context, space.baseAddress, space.count, nil)))
        } else {
            let count = LZ4F_compressUpdate(
                context,
                space.baseAddress,
                space.count,
                input.baseAddress,
                input.count,
                nil
            )
            try hand(checkLZ4(count))
        }
    }
}

@discardableResult
private func checkLZ4(_ result: Int) throws(CodecFault) -> Int {
    guard LZ4F_isError(result) == 0 else { throw CodecFault(reason: String(cString: LZ4F_getErrorName(result))) }
    return result
}
