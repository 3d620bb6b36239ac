internal import Platform

/// What a server has logged since a moment, to explain why it did not start.
struct StartLog: Sendable {
    init(_ launch: ServerLaunch) {}

    func lines() -> [String] { [] }
}
