import CPlatform
import Glibc

/// A system call that failed: which, on what, and why.
///
/// Callers decide by `errno`; the description is for people.
package struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was attempted, as a verb that reads well after "cannot": "open", "rename", "execute".
    package let call: String
    package let errno: Int32
    package let path: String?

    package init(call: String, errno: Int32, path: String? = nil) {
        self.call = call
        self.errno = errno
        self.path = path
    }

    package var description: String {
        let reason = String(cString: pgarchive_error_text(errno))
        guard let path else { return "cannot \(call): \(reason)" }
        return "cannot \(call) \(path): \(reason)"
    }

    package var isNotFound: Bool { errno == ENOENT }
    package var isTaken: Bool { errno == EEXIST }
    package var isFull: Bool { errno == ENOSPC || errno == EDQUOT }
    /// The filesystem cannot do what was asked in this way.
    package var isUnsupported: Bool { errno == EINVAL || errno == EOPNOTSUPP || errno == ENOTSUP }
}

/// Turns the negative errno that CPlatform's functions return into an error.
@discardableResult
func checked<Value: SignedInteger>(
    _ result: Value,
    _ call: String,
    _ path: String? = nil
) throws(SystemError) -> Value {
    guard result < 0 else { return result }
    throw SystemError(call: call, errno: Int32(truncatingIfNeeded: -result), path: path)
}

/// The same for Glibc's own functions, which answer -1 and set `errno`.
@discardableResult
func checkedCall(_ result: Int32, _ call: String, _ path: String? = nil) throws(SystemError) -> Int32 {
    guard result < 0 else { return result }
    throw SystemError(call: call, errno: errno, path: path)
}
