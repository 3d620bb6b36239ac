/// What a program gets as one of its three standard descriptors.
package enum SpawnStream: Sendable, Hashable {
    /// /dev/null
    case null
    /// The caller's.
    case inherit
    /// A descriptor of the caller, which stays open there.
    case descriptor(Int32)
    /// A file: read as input, appended to (and created, mode 0600) as output.
    case file(String)
}

package struct SpawnUser: Sendable, Hashable {
    package let uid: UInt32
    package let gid: UInt32
    package let groups: [UInt32]

    package init(uid: UInt32, gid: UInt32, groups: [UInt32]) {
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    package init(_ user: SystemUser) { self.init(uid: user.uid, gid: user.gid, groups: user.groups) }
}

/// A program to start, with everything that it gets: nothing of the caller's environment, signals or descriptors
/// goes along unless named here.
package struct SpawnRequest: Sendable, Hashable {
    /// An absolute path; PATH is not searched.
    package var executable: String
    /// Without the program's own name.
    package var arguments: [String]
    /// The whole environment.
    package var environment: [String: String]
    package var workingDirectory: String?
    package var standardInput: SpawnStream
    package var standardOutput: SpawnStream
    package var standardError: SpawnStream
    /// Descriptors from 3 on that the program keeps, under the same numbers.
    package var keptDescriptors: [Int32]
    /// Out of the caller's session and process group: a terminal's Ctrl-C does not reach it.
    package var newSession: Bool
    package var user: SpawnUser?
    /// Sent when the *thread* that spawned it ends (see PR_SET_PDEATHSIG in prctl(2)).
    package var parentDeathSignal: Int32?
    package var umask: UInt32?

    package init(
        executable: String,
        arguments: [String] = [],
        environment: [String: String] = [:],
        workingDirectory: String? = nil,
        standardInput: SpawnStream = .null,
        standardOutput: SpawnStream = .null,
        standardError: SpawnStream = .null,
        keptDescriptors: [Int32] = [],
        newSession: Bool = false,
        user: SpawnUser? = nil,
        parentDeathSignal: Int32? = nil,
        umask: UInt32? = nil
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.standardInput = standardInput
        self.standardOutput = standardOutput
        self.standardError = standardError
        self.keptDescriptors = keptDescriptors
        self.newSession = newSession
        self.user = user
        self.parentDeathSignal = parentDeathSignal
        self.umask = umask
    }
}

/// How a process ended.
package enum ProcessStatus: Sendable, Hashable, CustomStringConvertible {
    case exited(Int32)
    /// Killed by this signal.
    case signalled(Int32)

    package var isSuccess: Bool { self == .exited(0) }

    package var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .signalled(let signal): "signal \(signal)"
        }
    }
}

package struct ProcessOutput: Sendable {
    package let status: ProcessStatus
    package let output: [UInt8]
    package let error: [UInt8]
    /// More came than the limit allowed; the rest was thrown away.
    package let isTruncated: Bool

    package var outputText: String { String(decoding: output, as: UTF8.self) }
    package var errorText: String { String(decoding: error, as: UTF8.self) }
}
