import ArchiveModel

/// What a command asks of a running supervisor: one line of JSON over its socket.
package struct ControlRequest: Codable, Hashable, Sendable {
    package enum Verb: String, Codable, Sendable {
        /// Start parts, and keep them running.
        case start
        /// Stop parts, and keep them stopped.
        case stop
        case restart
        /// What the parts are doing.
        case status
        /// Stop all parts, then the supervisor itself.
        case shutdown
    }

    package var verb: Verb
    package var parts: [Part]
    /// For stopping a server: smart, fast or immediate.
    package var mode: String?

    package init(_ verb: Verb, parts: [Part] = [], mode: String? = nil) {
        self.verb = verb
        self.parts = parts
        self.mode = mode
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
            /// Died or refused to start; tried again after a while.
            case failing
        }

        package var part: Part
        package var phase: Phase
        package var reason: String?
        package var processID: Int32?
    }

    package var parts: [PartState]
    package var error: String?
    package var hint: String?

    package init(parts: [PartState], error: String? = nil, hint: String? = nil) {
        self.parts = parts
        self.error = error
        self.hint = hint
    }
}
