import WALFormat
import WALStore

/// pg_receivewal's `-Z METHOD[:DETAIL]`, as its parse_compress_options reads it; zstd besides.
struct ReceiveCompression: Equatable {
    /// Nil: segments stay as they are.
    let codec: SegmentCodec?

    /// What is wrong with the text.
    struct Complaint: Error, Equatable {
        let text: String
    }

    init(_ text: String) throws(Complaint) {
        if let number = Int32(text) {
            // Before there were methods, a number was gzip's level.
            codec = try number == 0 ? nil : Self.codec("gzip", number)
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let method = parts.first.map(String.init) ?? ""
        let detail = parts.count > 1 ? String(parts[1]) : nil
        if method == "none" {
            if detail != nil { throw Complaint(text: "the compression method \"none\" takes no detail") }
            codec = nil
            return
        }
        codec = try Self.codec(method, detail.map { detail throws(Complaint) in try Self.level(detail, method) } ?? nil)
    }

    /// `LEVEL` or `level=LEVEL`.
    private static func level(_ detail: String, _ method: String) throws(Complaint) -> Int32 {
        let digits = detail.hasPrefix("level=") ? String(detail.dropFirst("level=".count)) : detail
        guard let level = Int32(digits) else {
            throw Complaint(text: "\"\(detail)\" is no level of compression; write \(method):LEVEL")
        }
        return level
    }

    private static func codec(_ method: String, _ level: Int32?) throws(Complaint) -> SegmentCodec {
        let forms: [String: StoredSegment.Form] = ["gzip": .gzip, "lz4": .lz4, "zstd": .zstd]
        guard let form = forms[method], let levels = SegmentCodec.levels(of: form) else {
            throw Complaint(text: "\"\(method)\" is no compression method: there are gzip, lz4, zstd and none")
        }
        guard let codec = SegmentCodec(form, level: level) else {
            throw Complaint(text: "\(method)'s level is \(levels.lowerBound) to \(levels.upperBound)")
        }
        return codec
    }
}
