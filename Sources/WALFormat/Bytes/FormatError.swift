/// Why bytes or a text are not what their place demands.
package enum FormatError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Fewer bytes than the format needs.
    case truncated(String, needed: Int, found: Int)
    /// The stored checksum does not fit the bytes.
    case badChecksum(String)
    /// A version of the format that pgarchive does not know.
    case unsupported(String)
    /// Anything else that breaks the format; the text says what and where.
    case invalid(String)

    package var description: String {
        switch self {
        case .truncated(let what, let needed, let found): "\(what) is too short: \(found) bytes, \(needed) needed"
        case .badChecksum(let what): "\(what): wrong checksum"
        case .unsupported(let what): what
        case .invalid(let what): what
        }
    }
}
