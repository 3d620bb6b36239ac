internal import Glibc

/// A line of pg_hba.conf that is for replication connections (`pg_hba_file_rules`, for superusers).
struct AccessRule: Hashable {
    let isLocal: Bool
    let users: [String]
    /// Nil for a local line; otherwise an address with `netmask`, a name, `all`, `samehost` or `samenet`.
    let address: String?
    let netmask: String?
    let method: String

    /// Nil where this role may not read it.
    static func read(_ connection: SQLConnection) -> [AccessRule]? {
        let rows = try? connection.query(
            "SELECT type, pg_catalog.array_to_string(user_name, E'\\n'), address, netmask, auth_method "
                + "FROM pg_catalog.pg_hba_file_rules "
                + "WHERE error IS NULL AND 'replication' = ANY(database) ORDER BY line_number"
        )
        return rows?.map { row in
            AccessRule(
                isLocal: row[0] == "local",
                users: (row[1] ?? "").split(separator: "\n").map(String.init),
                address: row[2],
                netmask: row[3],
                method: row[4] ?? ""
            )
        }
    }

    /// Whether the line is for this user and address (nil: Unix socket).
    ///
    /// What only the server can tell (groups, patterns, host names) is taken for a yes: the connection itself will
    /// show it.
    func fits(user: String, address client: String?) -> Bool {
        guard isLocal == (client == nil) else { return false }
        let named = users.contains { $0 == "all" || $0 == user || $0.hasPrefix("+") || $0.hasPrefix("/") }
        guard named else { return false }
        guard let client, let address, let netmask else { return true }
        guard let ours = Self.bytes(client), let theirs = Self.bytes(address), let mask = Self.bytes(netmask) else {
            return true
        }
        guard ours.count == theirs.count, theirs.count == mask.count else { return false }
        return zip(zip(ours, theirs), mask).allSatisfy { pair, mask in pair.0 & mask == pair.1 & mask }
    }

    /// The bytes of a numeric address.
    private static func bytes(_ text: String) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 16)
        let plain = String(text.prefix { $0 != "%" })
        if inet_pton(AF_INET, plain, &buffer) == 1 { return Array(buffer.prefix(4)) }
        if inet_pton(AF_INET6, plain, &buffer) == 1 { return buffer }
        return nil
    }
}
