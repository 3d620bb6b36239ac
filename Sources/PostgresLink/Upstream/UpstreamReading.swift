internal import ArchiveModel
internal import WALFormat

/// What could be read of an upstream, before anything is judged; each part may be missing.
struct UpstreamReading {
    struct Role {
        let canLogin: Bool
        let mayReplicate: Bool
    }

    var serverVersion: Int?
    var versionText: String?
    var isInRecovery: Bool?
    /// From `pg_settings`: numbers in each setting's base unit.
    var settings: [String: String] = [:]
    var walSendersInUse: Int?
    var slotsInUse: Int?
    var slot: UpstreamSlot?
    var roles: [String: Role]?
    var superuser: String?
    var tablespaces: [UpstreamFacts.Tablespace]?
    var bytes: UInt64?
    /// Of pg_hba.conf, in its order; nil where it cannot be read.
    var replicationRules: [AccessRule]?
    /// As the server sees us over the SQL connection; nil over a Unix socket.
    var clientAddress: String?
    var sqlSystemIdentifier: UInt64?
    var replicationSystemIdentifier: UInt64?
    var timeline: TimelineID?

    func number(_ name: String) -> Int? { settings[name].flatMap { Int($0) } }

    var major: PostgresMajor? { serverVersion.flatMap { PostgresMajor(rawValue: $0 / 10000) } }

    /// Reads by SQL; what a role without special rights cannot read is left out.
    /// - Throws: when the connection is lost or the server refuses the simplest queries.
    mutating func readSQL(_ connection: SQLConnection, slot name: String) throws(LinkError) {
        serverVersion = connection.serverVersion
        versionText = connection.parameterStatus("server_version").map { String($0.prefix { $0 != " " }) }
        // Nobody's function of the same name is called instead of the system's.
        try connection.execute("SELECT pg_catalog.set_config('search_path', '', false)")
        for row in try connection.query("SELECT name, setting FROM pg_catalog.pg_settings") {
            if let name = row[0], let value = row[1] { settings[name] = value }
        }
        isInRecovery = try connection.value("SELECT pg_catalog.pg_is_in_recovery()") == "t"
        clientAddress = try connection.value("SELECT pg_catalog.host(pg_catalog.inet_client_addr())")
        walSendersInUse = try connection.value("SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders()")
            .flatMap { Int($0) }
        try readSlots(connection, name)
        try readRoles(connection)
        try readTablespaces(connection)
        replicationRules = AccessRule.read(connection)
        sqlSystemIdentifier = optional(connection, "SELECT system_identifier FROM pg_catalog.pg_control_system()")
            .flatMap { UInt64($0) }
        // Refused for a database that this role may not connect to; then the sum would mislead.
        bytes = optional(connection, "SELECT sum(pg_catalog.pg_database_size(oid)) FROM pg_catalog.pg_database")
            .flatMap { UInt64($0) }
    }

    private func optional(_ connection: SQLConnection, _ sql: String) -> String? {
        (try? connection.value(sql)) ?? nil
    }

    private mutating func readSlots(_ connection: SQLConnection, _ name: String) throws(LinkError) {
        slotsInUse = try connection.value("SELECT count(*) FROM pg_catalog.pg_replication_slots").flatMap { Int($0) }
        let rows = try connection.query(
            "SELECT slot_type, active, restart_lsn, wal_status FROM pg_catalog.pg_replication_slots "
                + "WHERE slot_name = $1",
            [name]
        )
        slot = rows.first.map { row in
            UpstreamSlot(
                name: name,
                isPhysical: row[0] == "physical",
                isActive: row[1] == "t",
                restart: row[2].flatMap { LSN($0) },
                walStatus: row[3]
            )
        }
    }

    private mutating func readRoles(_ connection: SQLConnection) throws(LinkError) {
        let rows = try connection.query(
            "SELECT rolname, rolcanlogin, rolreplication OR rolsuper, rolsuper FROM pg_catalog.pg_roles "
                // 10 is the bootstrap superuser's (PostgreSQL: BOOTSTRAP_SUPERUSERID).
                + "ORDER BY oid <> 10, oid"
        )
        var roles: [String: Role] = [:]
        for row in rows {
            if let name = row[0] { roles[name] = Role(canLogin: row[1] == "t", mayReplicate: row[2] == "t") }
        }
        self.roles = roles
        superuser = rows.first { $0[1] == "t" && $0[3] == "t" }?[0]
    }

    private mutating func readTablespaces(_ connection: SQLConnection) throws(LinkError) {
        let rows = try connection.query(
            "SELECT oid, spcname, pg_catalog.pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace ORDER BY oid"
        )
        tablespaces = rows.compactMap { row in
            // The built-in ones have no location, one "in place" a relative one: both lie in the data directory.
            guard let oid = row[0].flatMap({ UInt32($0) }), let name = row[1], let location = row[2],
                location.hasPrefix("/")
            else { return nil }
            return UpstreamFacts.Tablespace(oid: oid, name: name, location: location)
        }
    }

    /// Reads by the replication protocol.
    mutating func readReplication(_ connection: SQLConnection) throws(LinkError) {
        serverVersion = serverVersion ?? connection.serverVersion
        guard let row = try connection.query("IDENTIFY_SYSTEM").first, row.count >= 2 else {
            throw LinkError(.protocolViolation, "IDENTIFY_SYSTEM returned nothing")
        }
        replicationSystemIdentifier = row[0].flatMap { UInt64($0) }
        timeline = row[1].flatMap { UInt32($0) }.flatMap { TimelineID($0) }
    }

    /// Everything together, nil when something is missing.
    func facts() -> UpstreamFacts? {
        guard let systemIdentifier = replicationSystemIdentifier, let timeline, let major, let versionText,
            let segmentSize = number("wal_segment_size").flatMap({ SegmentSize(bytes: UInt64(max(0, $0))) }),
            let hotStandby = hotStandby(), let tablespaces
        else { return nil }
        let keep = number("max_slot_wal_keep_size") ?? -1
        return UpstreamFacts(
            systemIdentifier: systemIdentifier,
            timeline: timeline,
            major: major,
            version: versionText,
            segmentSize: segmentSize,
            hotStandby: hotStandby,
            dataDirectoryMode: settings["data_directory_mode"].flatMap { UInt32($0, radix: 8) } ?? 0o700,
            tablespaces: tablespaces,
            superuser: superuser,
            bytes: bytes,
            slotKeepBytes: keep < 0 ? nil : UInt64(keep) << 20,
            archives: settings["archive_mode"].map { $0 != "off" } ?? false,
            slot: slot
        )
    }

    private func hotStandby() -> HotStandbyParameters? {
        func value(_ name: String) -> Int32? { settings[name].flatMap { Int32($0) } }
        guard let connections = value("max_connections"), let workers = value("max_worker_processes"),
            let senders = value("max_wal_senders"), let prepared = value("max_prepared_transactions"),
            let locks = value("max_locks_per_transaction")
        else { return nil }
        return HotStandbyParameters(
            maxConnections: connections,
            maxWorkerProcesses: workers,
            maxWALSenders: senders,
            maxPreparedTransactions: prepared,
            maxLocksPerTransaction: locks
        )
    }
}
