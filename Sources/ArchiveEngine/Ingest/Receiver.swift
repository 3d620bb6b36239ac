/// Receives an upstream's WAL into a directory, until it is told to stop.
package enum Receiver {
    /// Runs in the calling thread and one more; SIGTERM and SIGINT end it in order.
    ///
    /// - Returns: the process's exit code, 0 when it ended as asked.
    package static func run(_ options: ReceiverOptions) -> Int32 {
        _ = options
        return 1
    }
}
