import ArchiveModel

/// What a command asks of a running supervisor: one line of JSON over its socket.
package struct ControlRequest: Codable, Hashable, Sendable {
    package enum Verb: String, Codable, Sendable {
        /// Start parts, and keep them running.
        case start
        /// Stop parts, and keep them stopped.
        case stop
        case restart
        /// Wait on, until the parts are as they were asked to be before.
        case wait
        /// What the parts are doing.
        case status
        /// Stop all parts, then the supervisor itself.
        case shutdown
    }

    package var verb: Verb
    package var parts: [Part]
    /// For stopping a server: smart, fast or immediate.
    package var mode: String?
    /// How long the answer may be waited for; the supervisor has a limit of its own.
    package var waitSeconds: Double?

    package init(_ verb: Verb, parts: [Part] = [], mode: String? = nil, waitSeconds: Double? = nil) {
        self.verb = verb
        self.parts = parts
        self.mode = mode
        self.waitSeconds = waitSeconds
    }
}

/// What the supervisor answers.
package struct ControlReply: Codable, Hashable, Sendable {
    package struct PartState: Codable, Hashable, Sendable {
        package enum Phase: String, Codable, Sendable {
            case stopped
            case starting
            case running
            case stopping
            /// Died, refused to start, or does not stop; tried again after a while.
            case failing
        }

        package var part: Part
        package var phase: Phase
        package var reason: String?
        package var processID: Int32?
    }

    package var parts: [PartState]
    /// False while the parts are still on their way: `wait` waits on.
    package var isSettled = true
    package var error: String?
    package var hint: String?

    package init(parts: [PartState], isSettled: Bool = true, error: String? = nil, hint: String? = nil) {
        self.parts = parts
        self.isSettled = isSettled
        self.error = error
        self.hint = hint
    }
}
