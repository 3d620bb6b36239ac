internal import WALFormat

/// Decompresses a stream piece by piece, as one of the libraries does it.
protocol SegmentDecoder: AnyObject {
    /// Takes from `input` and fills `output`, each as far as it comes; a frame that ends is followed by the next one.
    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> DecoderStep
}

/// What one call took and gave.
struct DecoderStep {
    var consumed = 0
    var produced = 0
    /// Nothing of a frame is outstanding.
    var isBetweenFrames = false
    /// Why what follows cannot be decompressed; what was produced is right.
    var fault: String?
}

/// Compresses a stream piece by piece, as one frame with a checksum.
protocol SegmentEncoder: AnyObject {
    /// Hands what comes out to `write`; empty input ends the frame.
    ///
    /// - Throws: `CodecFault`, and what `write` throws.
    func encode(_ input: UnsafeRawBufferPointer, write: (UnsafeRawBufferPointer) throws -> Void) throws
}

/// A compression library refuses.
struct CodecFault: Error {
    let reason: String
}

/// In which form complete segments are kept, and how hard it is tried to make them small.
package struct SegmentCodec: Hashable, Sendable {
    /// A complete, compressed one.
    package let form: StoredSegment.Form
    /// The library's own; nil is its default.
    package let level: Int32?

    /// Nil for a form that is no compression, and for a level that the library does not have.
    package init?(_ form: StoredSegment.Form, level: Int32? = nil) {
        guard let levels = Self.levels(of: form), level.map(levels.contains) ?? true else { return nil }
        self.form = form
        self.level = level
    }

    /// What its own tools take as levels; nil for a form that is no compression.
    package static func levels(of form: StoredSegment.Form) -> ClosedRange<Int32>? {
        switch form {
        case .zstd: 1...19
        case .lz4: 1...12
        case .gzip: 1...9
        default: nil
        }
    }

    /// zstd's fastest: what containers use.
    package static let standard = SegmentCodec(known: .zstd, level: 1)

    private init(known form: StoredSegment.Form, level: Int32) {
        self.form = form
        self.level = level
    }

    func encoder(inputBytes: UInt64) throws(CodecFault) -> any SegmentEncoder {
        switch form {
        case .lz4: try LZ4Encoder(level: level, inputBytes: inputBytes)
        case .gzip: try GzipEncoder(level: level)
        default: try ZstdEncoder(level: level, inputBytes: inputBytes)
        }
    }
}

extension StoredSegment.Form {
    /// Nil for the forms that are no compression.
    func decoder() throws(CodecFault) -> (any SegmentDecoder)? {
        switch self {
        case .plain, .partial: nil
        case .zstd: try ZstdDecoder()
        case .lz4, .lz4Partial: try LZ4Decoder()
        case .gzip, .gzipPartial: try GzipDecoder()
        }
    }
}
