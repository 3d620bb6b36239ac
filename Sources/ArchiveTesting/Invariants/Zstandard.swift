import CZstd
import Foundation

/// Decompression straight by the library, so that the store's own reader is not what proves the store right.
enum Zstandard {
    static func decompressed(_ data: Data, capacity: Int) throws -> Data {
        var output = Data(count: capacity)
        let size = output.withUnsafeMutableBytes { target in
            data.withUnsafeBytes { source in
                ZSTD_decompress(target.baseAddress, target.count, source.baseAddress, source.count)
            }
        }
        guard ZSTD_isError(size) == 0 else { throw TestFailure("not valid zstd data") }
        return output.prefix(size)
    }
}
