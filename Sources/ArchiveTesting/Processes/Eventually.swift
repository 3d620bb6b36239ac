import Foundation

/// Waits until a condition holds, and looks again every few milliseconds.
///
/// - Throws: TestFailure naming the condition when it does not hold within `seconds`, or what the condition threw last.
package func eventually(
    within seconds: Double = 20,
    _ what: String,
    every interval: Double = 0.01,
    condition: () throws -> Bool
) throws {
    let limit = ContinuousClock.now + .seconds(seconds)
    var lastError: (any Error)?
    while true {
        do {
            if try condition() { return }
            lastError = nil
        } catch {
            lastError = error
        }
        if ContinuousClock.now > limit {
            let cause = lastError.map { ": \($0)" } ?? ""
            throw TestFailure("not within \(seconds) s: \(what)\(cause)")
        }
        usleep(UInt32(interval * 1_000_000))
    }
}

/// The seconds that some work took.
package func measured(_ work: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try work()
    let elapsed = ContinuousClock.now - start
    return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
}
