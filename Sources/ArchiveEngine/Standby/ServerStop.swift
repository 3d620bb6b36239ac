import ArchiveModel
package import PostgresLink
import WALFormat

/// How a server is stopped, in pg_ctl's words.
package enum ServerStop {
    package static func mode(_ text: String) throws -> RunningServer.StopMode {
        switch text {
        case "smart", "s": return .smart
        case "fast", "f": return .fast
        case "immediate", "i": return .immediate
        default:
            throw ArchiveError(
                .usage,
                "'\(text)' is no way to stop a server",
                hint: "use smart (waits for clients), fast, or immediate (as if it crashed)"
            )
        }
    }
}

extension Container {
    /// The PostgreSQL that this container's servers need.
    package func installation() throws -> PostgresInstallation {
        guard let major = PostgresMajor(rawValue: identity.major) else {
            throw ArchiveError(
                .refused,
                "PostgreSQL \(identity.major) is not supported",
                hint: "supported are 15 to 18"
            )
        }
        do {
            let noted = (try? JSONFile.read(ExaminedPostgres.self, from: paths.installation)) ?? nil
            let found = try PostgresInstallation.find(major: major, known: noted)
            if let examined = ExaminedPostgres(found), examined != noted {
                try? JSONFile.put(paths.installation, with: examined)
            }
            return found
        } catch {
            throw ArchiveError(.failed, error.message, hint: error.hint)
        }
    }
}
