internal import ArchiveModel
internal import WALFormat

/// Judges what was read; pure, so the same reading gives the same findings.
struct PreflightChecks {
    typealias Finding = UpstreamPreflight.Finding

    let preflight: UpstreamPreflight
    let reading: UpstreamReading
    let replicationUser: String

    /// The receiver's, and for the time of an init the base backup's.
    private static let sendersNeeded = 2
    private static let restart = "  -- then restart PostgreSQL"
    private static let reload = "\nSELECT pg_reload_conf();"

    func findings() -> [Finding] {
        let checks = [
            versionFinding(), recoveryFinding(), walLevelFinding(), senderFinding(), slotCountFinding(),
            slotNameFinding(), slotFinding(), roleFinding(), fullPageFinding(), blockSizeFinding(),
            sameClusterFinding(),
            superuserFinding(), slotKeepRemark(), idleSlotRemark(), syncRemark(),
        ]
        return checks.compactMap(\.self)
    }

    private func versionFinding() -> Finding? {
        guard let version = reading.serverVersion else { return nil }
        let number = version / 10000
        guard let major = PostgresMajor(rawValue: number) else {
            let supported = PostgresMajor.allCases.map { "\($0.rawValue)" }
            let range = "\(supported.first ?? "") to \(supported.last ?? "")"
            return .refusal(
                "the upstream is PostgreSQL \(number); supported are \(range)",
                fix: number < 15 ? "upgrade the upstream with pg_upgrade" : "upgrade pgarchive"
            )
        }
        guard !preflight.installedMajors.contains(major) else { return nil }
        return .refusal(
            "the upstream is PostgreSQL \(number), which is not installed on this machine",
            fix: "apt-get install postgresql-\(number)   # or set PGARCHIVE_POSTGRES_\(number) to its bin directory"
        )
    }

    private func recoveryFinding() -> Finding? {
        guard reading.isInRecovery == true else { return nil }
        return .refusal(
            "the upstream is a standby (in recovery); for now only a primary can be archived",
            fix: "give the connection strings of its primary"
        )
    }

    private func walLevelFinding() -> Finding? {
        guard let level = reading.settings["wal_level"], level == "minimal" else { return nil }
        return .refusal(
            "wal_level is \(level): its WAL cannot be replayed elsewhere",
            fix: "ALTER SYSTEM SET wal_level = 'replica';\(Self.restart)"
        )
    }

    func senderFinding() -> Finding? {
        guard let limit = reading.number("max_wal_senders"), let used = reading.walSendersInUse else { return nil }
        let free = limit - used
        guard free < Self.sendersNeeded else { return nil }
        // PostgreSQL's default, or what is missing on top of what there is.
        let wanted = max(10, used + Self.sendersNeeded)
        return .refusal(
            "max_wal_senders is \(limit) and \(used) are in use; \(Self.sendersNeeded) free ones are needed",
            fix: "ALTER SYSTEM SET max_wal_senders = \(wanted);\(Self.restart)"
        )
    }

    private func slotCountFinding() -> Finding? {
        guard let limit = reading.number("max_replication_slots"), let used = reading.slotsInUse else { return nil }
        guard used >= limit, reading.slot == nil else { return nil }
        return .refusal(
            "max_replication_slots is \(limit) and \(used) are in use; 1 free one is needed",
            fix: "ALTER SYSTEM SET max_replication_slots = \(max(10, used + 1));\(Self.restart)"
        )
    }

    private func slotNameFinding() -> Finding? {
        let isValid =
            (1...63).contains(preflight.slot.utf8.count)
            && preflight.slot.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_")
            }
        guard !isValid else { return nil }
        return .refusal(
            "'\(preflight.slot)' cannot be a slot's name: 1 to 63 of a-z, 0-9 and _",
            fix: "choose another with --slot NAME"
        )
    }

    private func slotFinding() -> Finding? {
        guard let slot = reading.slot else { return nil }
        let kind = slot.isPhysical ? "physical" : "logical"
        if slot.isActive {
            return .refusal(
                "the \(kind) replication slot '\(slot.name)' exists and is in use",
                fix: "choose another with --slot NAME"
            )
        }
        return .refusal(
            "the \(kind) replication slot '\(slot.name)' exists already",
            fix: "choose another with --slot NAME; or, when nothing needs it any more:\n"
                + "SELECT pg_drop_replication_slot('\(slot.name)');"
        )
    }

    /// The role of the replication connection, as far as SQL tells.
    func roleFinding() -> Finding? {
        guard let roles = reading.roles else { return nil }
        let name = Self.identifier(replicationUser)
        guard let role = roles[replicationUser] else {
            return .refusal(
                "the role '\(replicationUser)' of the replication connection does not exist",
                fix: "CREATE ROLE \(name) LOGIN REPLICATION PASSWORD '...';\n"
                    + "or name another role with --upstream-repl",
                kind: .authentication
            )
        }
        guard role.canLogin else {
            return .refusal(
                "the role '\(replicationUser)' of the replication connection may not log in",
                fix: "ALTER ROLE \(name) LOGIN\(role.mayReplicate ? "" : " REPLICATION");",
                kind: .authentication
            )
        }
        guard !role.mayReplicate else { return nil }
        return .refusal(
            "the role '\(replicationUser)' has no right to replicate",
            fix: "ALTER ROLE \(name) REPLICATION;"
        )
    }

    private func fullPageFinding() -> Finding? {
        guard reading.settings["full_page_writes"] == "off" else { return nil }
        return .refusal(
            "full_page_writes is off: copies of a running standby could not be recovered",
            fix: "ALTER SYSTEM SET full_page_writes = on;\(Self.reload)"
        )
    }

    private func blockSizeFinding() -> Finding? {
        for name in ["block_size", "wal_block_size"] {
            guard let size = reading.number(name), size != 8192 else { continue }
            return .refusal("the upstream was built with \(name) \(size); only 8192 is supported", fix: nil)
        }
        return nil
    }

    private func sameClusterFinding() -> Finding? {
        guard let one = reading.sqlSystemIdentifier, let other = reading.replicationSystemIdentifier, one != other
        else { return nil }
        return .refusal(
            "the two connections reach different clusters: system identifier \(one) by SQL, \(other) by replication",
            fix: "make --upstream and --upstream-repl name the same host and port"
        )
    }

    private func superuserFinding() -> Finding? {
        guard reading.roles != nil, reading.superuser == nil else { return nil }
        return .refusal(
            "no superuser of the upstream may log in, so nobody could administer its standby or clones",
            fix: "ALTER ROLE postgres LOGIN;"
        )
    }

    private func slotKeepRemark() -> Finding? {
        guard let megabytes = reading.number("max_slot_wal_keep_size") else { return nil }
        if megabytes < 0 {
            return .remark(
                "max_slot_wal_keep_size is unlimited: while the archive is away, WAL grows on the upstream until "
                    + "its disk is full. With a limit the upstream stays safe, and a longer absence leaves a gap",
                fix: "ALTER SYSTEM SET max_slot_wal_keep_size = '100GB';\(Self.reload)"
            )
        }
        return .remark(
            "max_slot_wal_keep_size is \(megabytes) MB: more WAL than that while the archive is away leaves a gap"
        )
    }

    private func idleSlotRemark() -> Finding? {
        guard let seconds = reading.number("idle_replication_slot_timeout"), seconds > 0 else { return nil }
        return .remark(
            "idle_replication_slot_timeout is \(seconds) s: when the archive is away for longer, there is a gap",
            fix: "ALTER SYSTEM SET idle_replication_slot_timeout = 0;\(Self.reload)"
        )
    }

    private func syncRemark() -> Finding? {
        guard reading.settings["fsync"] == "off" else { return nil }
        return .remark("fsync is off on the upstream: a power cut there may leave it, and then its archive, corrupt")
    }

    /// As SQL takes it.
    static func identifier(_ name: String) -> String {
        "\"\(name.replacingScalar("\"", with: "\"\""))\""
    }
}
