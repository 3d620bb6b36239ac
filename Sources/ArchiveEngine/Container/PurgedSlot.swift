import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// The slot that a purge drops, and how its upstream is reached.
struct PurgedSlot {
    /// Who says which server the upstream is.
    enum Source {
        /// The mark of an init that has not ended, or the settings.
        case container
        /// An option or the environment, where the settings cannot be read.
        case user
        /// Nobody; then the local server is tried, as init does.
        case nobody
    }

    /// What the user says besides; each may be empty.
    struct Given: Sendable {
        let upstream: String
        let replication: String
        let slot: String
    }

    /// What came of it; without a remark all is well.
    struct Result {
        var remark: String?
        /// The slot may go on filling the disk of an upstream that lives.
        var isFinding = false
    }

    let name: SlotName
    let source: Source
    private let claim: UpstreamSlots.Claim
    private let connections: [ConnectionString]
    /// The name is made from the container's.
    private let isGuessed: Bool
    /// Whose slot it is, where the container still tells.
    private let systemIdentifier: UInt64?
    private let paths: ContainerPaths

    /// Nil when there is none to drop.
    init?(_ paths: ContainerPaths, mark: InitMark?, given: Given) {
        let settings = try? SettingsFile.read(paths.settings)
        let identity = (try? JSONFile.read(ContainerIdentity.self, from: paths.identity)) ?? nil
        if let mark, mark.claim == nil { return nil }
        let said = [mark?.slot, settings?.slot, given.slot].compactMap { $0 }.first { !$0.isEmpty }
        let standard = StandardSlot.name(container: identity?.name ?? FilePath.name(of: paths.root))
        guard let name = SlotName(said ?? standard) else { return nil }
        self.name = name
        self.isGuessed = said == nil && settings == nil
        self.claim = mark?.claim ?? .made
        self.systemIdentifier =
            identity?.systemIdentifier ?? (try? ControlFileReader.read(paths.standbyTree))?.systemIdentifier
        self.paths = paths
        (source, connections) = Self.upstream(mark, settings, given)
    }

    private static func upstream(
        _ mark: InitMark?,
        _ settings: Settings?,
        _ given: Given
    ) -> (Source, [ConnectionString]) {
        func both(_ upstream: String, _ replication: String) -> [String] {
            [replication.isEmpty ? StandardReplication.text(upstream) : replication, upstream]
        }
        let isGiven = !(given.upstream.isEmpty && given.replication.isEmpty)
        let ofUser = isGiven ? both(given.upstream, given.replication) : []
        var ofContainer = settings.map { both($0.upstream, $0.upstreamReplication) } ?? []
        if let mark { ofContainer = [mark.upstream] + (settings == nil ? ofUser : ofContainer) }
        for (source, texts) in [(Source.container, ofContainer), (.user, ofUser)] {
            // The role of the second may have the right to, where the first has not.
            let connections = texts.compactMap { try? ConnectionString($0) }
            if !connections.isEmpty { return (source, connections) }
        }
        return (.nobody, both("", "").compactMap { try? ConnectionString($0) })
    }

    /// For people; nil when nobody says it.
    var upstream: String? { source == .nobody ? nil : connections.first?.redacted }

    /// - Parameter force: goes on where nothing tells which server has the slot.
    /// - Throws: when nothing does; nothing was changed then.
    func drop(force: Bool) throws -> Result {
        // Without libpq none of the connections is understood.
        _ = try ConnectionString("")
        // A local server is the upstream only when it shows that it is.
        let isTried = source != .nobody || systemIdentifier != nil
        var objections: [String] = []
        var failure: LinkError?
        for connection in isTried ? connections : [] {
            do throws(LinkError) {
                let cluster = source == .container ? nil : systemIdentifier
                switch try UpstreamSlots.drop(connection, name, claim, of: cluster) {
                case .dropped: return Result()
                case .absent: return isGuessed ? absent(connection) : Result()
                case .otherCluster: objections.append("\(connection): this is another cluster")
                }
            } catch {
                objections.append("\(connection): \(error)")
                failure = failure ?? error
                if error.kind == .timedOut { break }
            }
        }
        if let failure, source != .nobody { return left(failure) }
        guard force else { throw refusal(objections) }
        return Result(
            remark: "the slot '\(name)' is left on its upstream, which is not known, and makes it keep WAL until its "
                + "disk is full; drop it there: \(statement)",
            isFinding: true
        )
    }

    private func left(_ failure: LinkError) -> Result {
        Result(
            remark: "the slot '\(name)' was not dropped: \(failure); if it still exists: \(statement)",
            // An upstream that is gone needs nothing.
            isFinding: ![.unreachable, .timedOut].contains(failure.kind)
        )
    }

    private func absent(_ connection: ConnectionString) -> Result {
        Result(
            remark: "there is no slot '\(name)' on \(connection); if the container's had another name, drop that one: "
                + "SELECT * FROM pg_replication_slots; shows them",
            isFinding: true
        )
    }

    private var statement: String { "SELECT pg_drop_replication_slot('\(name)');" }

    private func refusal(_ objections: [String]) -> ArchiveError {
        ArchiveError(
            .refused,
            "nothing tells on which server the slot '\(name)' is; nothing was removed",
            hint: "set UPSTREAM='host=db1 user=postgres', and SLOT if that is not its name, or mend "
                + "'\(paths.settings)'; --force removes the container and leaves the slot",
            details: objections
        )
    }
}
