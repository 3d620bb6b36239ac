/// How a restore_command ended.
package enum FetchOutcome: Hashable, Sendable {
    /// The file is there, whole and checked.
    case served
    /// There is no such file, or not for this caller: the end of the archive.
    case notThere(String)
    /// Not a name that PostgreSQL asks for; nothing was touched.
    case badName(String, mustAbort: Bool)
    /// For the standby, which asks again: no more than "not there". For all others the end of recovery.
    case trouble(FetchTrouble, mustAbort: Bool)

    /// For a trouble that PostgreSQL must not take for the end of WAL: above 125, and none that its log reads as
    /// something else (126, 127, 128 and a signal's number).
    package static let abortStatus: Int32 = 200

    package var exitStatus: Int32 {
        switch self {
        case .served: 0
        case .notThere: 1
        case .badName(_, let mustAbort): mustAbort ? Self.abortStatus : 2
        case .trouble(_, let mustAbort): mustAbort ? Self.abortStatus : 1
        }
    }
}
