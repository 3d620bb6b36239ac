internal import Glibc
internal import Platform
package import WALFormat

/// The programs of one PostgreSQL major on this machine.
package struct PostgresInstallation: Sendable, Hashable {
    package let major: PostgresMajor
    /// As the program says it: `15.18`.
    package let version: String
    package let binDirectory: String

    /// The path of one of its programs, such as `pg_basebackup`.
    package func tool(_ name: String) -> String { FilePath.join(binDirectory, name) }

    /// The installation of a major: `PGARCHIVE_POSTGRES_15` where it is set, then the usual places, then PATH.
    ///
    /// - Parameter known: what was found before, and need not be asked again.
    /// - Throws: `local`, also when the named directory holds another major: it never silently takes another one.
    package static func find(
        major: PostgresMajor,
        known: ExaminedPostgres? = nil,
        environment: [String: String] = LibpqEnvironment.current()
    ) throws(LinkError) -> PostgresInstallation {
        let variable = "PGARCHIVE_POSTGRES_\(major.rawValue)"
        if let named = environment[variable], !named.isEmpty {
            guard let found = examine(named, known), found.major == major else {
                throw LinkError(
                    .local,
                    "\(variable) names \(named), where there is no PostgreSQL \(major.rawValue)",
                    hint: "it is to name the directory that holds postgres, pg_basebackup, …"
                )
            }
            return found
        }
        for directory in places(major, path: environment["PATH"] ?? "") {
            if let found = examine(directory, known), found.major == major { return found }
        }
        throw LinkError(
            .local,
            "PostgreSQL \(major.rawValue) is not installed here",
            hint: "apt-get install postgresql-\(major.rawValue), or set \(variable) to its bin directory"
        )
    }

    /// One of each major that is found here.
    package static func all(environment: [String: String] = LibpqEnvironment.current()) -> [PostgresInstallation] {
        PostgresMajor.allCases.compactMap { try? find(major: $0, environment: environment) }
    }

    private static func places(_ major: PostgresMajor, path: String) -> [String] {
        ["/usr/lib/postgresql/\(major.rawValue)/bin", "/usr/pgsql-\(major.rawValue)/bin", "/usr/local/pgsql/bin"]
            + path.split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
    }

    /// Asks the `postgres` of a directory for its version; nil where there is none that answers.
    package static func examine(_ directory: String, _ known: ExaminedPostgres? = nil) -> PostgresInstallation? {
        let executable = FilePath.join(directory, "postgres")
        guard access(executable, X_OK) == 0 else { return nil }
        if known?.directory == directory, let same = known?.installation { return same }
        let request = SpawnRequest(
            executable: executable,
            arguments: ["--version"],
            environment: ["LC_ALL": "C"]
        )
        guard let answer = try? ProcessSpawn.run(request, timeoutSeconds: 10), answer.status.isSuccess,
            let (major, version) = parse(answer.outputText)
        else { return nil }
        return PostgresInstallation(major: major, version: version, binDirectory: directory)
    }

    /// What a setting would be at a server's start, by its file; nil where the file cannot be read as one.
    package func setting(_ name: String, dataDirectory: String, configurationFile: String) -> String? {
        guard let answer = asked(name, dataDirectory, configurationFile), answer.status.isSuccess else { return nil }
        return answer.outputText.split(separator: "\n").first.map(String.init)
    }

    /// Why a server would not start with a configuration file that sets this; nil when it would, as far as can be seen.
    package func objection(to name: String, dataDirectory: String, configurationFile: String) -> String? {
        guard let answer = asked(name, dataDirectory, configurationFile), !answer.status.isSuccess else { return nil }
        let lines = answer.errorText.split(separator: "\n").map { line in
            String(line.firstRange(of: ":  ").map { line[$0.upperBound...] } ?? line)
        }
        return lines.first ?? "\(answer.status)"
    }

    private func asked(_ name: String, _ dataDirectory: String, _ configurationFile: String) -> ProcessOutput? {
        let request = SpawnRequest(
            executable: tool("postgres"),
            arguments: ["-D", dataDirectory, "-c", "config_file=\(configurationFile)", "-C", name],
            environment: ServerLaunch.standardEnvironment()
        )
        return try? ProcessSpawn.run(request, timeoutSeconds: 10)
    }

    /// Reads `postgres (PostgreSQL) 15.18 (Debian …)`; also `16beta1` and `17devel`.
    static func parse(_ text: String) -> (major: PostgresMajor, version: String)? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard words.count >= 3, words[1] == "(PostgreSQL)",
            let number = Int(words[2].prefix { $0.isASCII && $0.isNumber }), let major = PostgresMajor(rawValue: number)
        else { return nil }
        return (major, String(words[2]))
    }
}
