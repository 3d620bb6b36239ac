@preconcurrency internal import Glibc
internal import Platform

/// Keeps libpq's environment variables of the caller's shell away from every connection.
package enum LibpqEnvironment {
    /// Unsets each PG* variable of this process, except pgarchive's own (`PGARCHIVE`, `PGARCHIVE_…`).
    ///
    /// To be called at the start, before there is a second thread: the environment is not guarded by a lock.
    package static func clear() {
        for name in unwanted(in: current()) { unsetenv(name) }
    }

    /// The names of the variables that are not to reach libpq.
    package static func unwanted(in environment: [String: String]) -> [String] {
        environment.keys.filter { isLibpq($0) }
    }

    /// True of a variable which libpq or a PostgreSQL tool would read.
    package static func isLibpq(_ name: String) -> Bool {
        name.hasPrefix("PG") && name != "PGARCHIVE" && !name.hasPrefix("PGARCHIVE_")
    }

    /// The role that libpq logs in as when none is named: the account's name.
    package static func defaultUser() -> String? {
        (try? SystemUser.current())?.name
    }

    /// This process's environment.
    package static func current() -> [String: String] {
        var variables: [String: String] = [:]
        // Null after clearenv(3), which the imported type does not say.
        let start: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = environ
        guard var entry = start else { return [:] }
        while let text = entry.pointee {
            let assignment = String(cString: text)
            if let end = assignment.firstIndex(of: "=") {
                variables[String(assignment[..<end])] = String(assignment[assignment.index(after: end)...])
            }
            entry += 1
        }
        return variables
    }
}
