import Foundation

/// Runs a long blocking test body on a thread of its own, so that the pool's few threads stay free for other tests.
///
/// Such a body reports by throwing: `#expect` on a foreign thread does not know its test.
package enum OwnThread {
    package static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
            thread.stackSize = 8 << 20
            thread.start()
        }
    }
}
