import ArchiveModel
import Foundation
import Platform

/// Small JSON files of a container: read whole, replaced whole.
package enum JSONFile {
    /// Replaces the file durably: after a crash it holds the old content or the new.
    package static func replace<Value: Encodable>(_ path: String, with value: Value) throws {
        try DurableFile.replace(path, text: try text(value))
    }

    /// Replaces the file whole, but not durably.
    package static func put<Value: Encodable>(_ path: String, with value: Value) throws {
        try FileTree.replace(path, text: try text(value))
    }

    /// Reads the file; nil when it does not exist.
    package static func read<Value: Decodable>(_ type: Value.Type, from path: String) throws -> Value? {
        guard let bytes = try content(path) else { return nil }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw ArchiveError(
                .failed,
                "'\(path)' cannot be read: \(explain(error))",
                hint: "it was edited or comes from another version; restore it, or move it away"
            )
        }
    }

    private static func content(_ path: String) throws(SystemError) -> [UInt8]? {
        do {
            return try FileTree.read(path, limit: 4 << 20)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
    }

    package static func text<Value: Encodable>(_ value: Value) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }

    /// The value in one line, without its newline.
    package static func line<Value: Encodable>(_ value: Value) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private static func explain(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .dataCorrupted(let context): return context.debugDescription
        case .keyNotFound(let key, _): return "'\(key.stringValue)' is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return "'\(path)': \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }
}
