import CZstd
import Platform

/// A zstd file read as a stream: any number of frames, each checked by its checksum where it has one.
final class Decompression {
    private let path: String
    private let stream: OpaquePointer
    private let inputSpace: UnsafeMutableRawBufferPointer
    private var input: ZSTD_inBuffer
    /// Bytes taken out before they were asked for.
    private var ahead: [UInt8] = []
    /// Nothing of a frame is outstanding.
    private var betweenFrames = true
    private var ended = false
    /// The last call filled its output, so that the stream may hold more without new input.
    private var mayHoldOutput = false

    init(path: String) throws {
        guard let stream = ZSTD_createDStream() else {
            throw StoreError.badCompression(path: path, reason: "no memory")
        }
        self.path = path
        self.stream = stream
        self.inputSpace = .allocate(byteCount: ZSTD_DStreamInSize(), alignment: 16)
        self.input = ZSTD_inBuffer(src: UnsafeRawPointer(inputSpace.baseAddress), size: 0, pos: 0)
    }

    deinit {
        ZSTD_freeDStream(stream)
        inputSpace.deallocate()
    }

    /// The first bytes, which `read` gives again; only before any `read`.
    func peek(_ count: Int, from file: borrowing Descriptor) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let filled = try bytes.withUnsafeMutableBytes { try read(into: $0, from: file) }
        ahead = Array(bytes.prefix(filled))
        return ahead
    }

    /// Fills the buffer; fewer bytes only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, from file: borrowing Descriptor) throws -> Int {
        let early = min(ahead.count, buffer.count)
        buffer.copyBytes(from: ahead.prefix(early))
        ahead.removeFirst(early)
        var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: early)
        while output.pos < output.size, !ended {
            if input.pos == input.size, !mayHoldOutput {
                let count = try file.read(into: inputSpace)
                if count == 0 {
                    guard betweenFrames else {
                        throw StoreError.badCompression(path: path, reason: "it ends too early")
                    }
                    ended = true
                    break
                }
                input.size = count
                input.pos = 0
            }
            let outstanding = ZSTD_decompressStream(stream, &output, &input)
            guard ZSTD_isError(outstanding) == 0 else {
                throw StoreError.badCompression(
                    path: path,
                    reason: String(cString: ZSTD_getErrorName(outstanding))
                )
            }
            betweenFrames = outstanding == 0
            mayHoldOutput = outstanding != 0 && output.pos == output.size
        }
        return output.pos
    }
}
