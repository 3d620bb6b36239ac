internal import CLibpq
internal import Glibc

/// A libpq connection string, parsed: keywords and values, with its secrets kept out of everything that prints.
///
/// Both of libpq's forms are read (`host=db1 user=x` and `postgresql://x@db1/`); the first is written.
package struct ConnectionString: Sendable, Hashable {
    /// In libpq's own order, so that equal settings give equal texts.
    private var settings: [Setting]

    private struct Setting: Hashable, Sendable {
        let keyword: String
        var value: String
        let isSecret: Bool
    }

    /// Parses `text` without connecting and without reading the environment.
    ///
    /// - Throws: `LinkError` of kind `invalidConnectionString`; its text never repeats what may be a password.
    ///
    /// With `takesServices` it may name a service, which then is read together with the environment.
    package init(_ text: String, takesServices: Bool = false) throws(LinkError) {
        // Whoever wants anything of libpq has made one of these first.
        if let problem = pgarchive_load_libpq() {
            let reason = String(cString: problem)
            throw LinkError(.local, "libpq is missing: \(reason)", hint: "install it (Debian: libpq5)")
        }
        var complaint: UnsafeMutablePointer<CChar>?
        guard !text.utf8.contains(0), let options = PQconninfoParse(text, &complaint) else {
            defer { PQfreemem(complaint) }
            throw Self.refusal(of: text, complaint: complaint.map { String(cString: $0) })
        }
        defer { PQconninfoFree(options) }
        settings = Self.keywords(in: options)
        if !takesServices, value(of: "service") != nil || value(of: "servicefile") != nil {
            throw LinkError(
                .invalidConnectionString,
                "service= is not taken: it would depend on the files of whoever runs pgarchive",
                hint: "write the service's settings into the connection string itself"
            )
        }
    }

    /// With what libpq itself would add: from the service that it names, the PG* variables, and libpq's defaults.
    ///
    /// - Throws: `invalidConnectionString` for a service that is not there.
    package func completedFromEnvironment() throws(LinkError) -> ConnectionString {
        // Where libpq looks for a service; a variable of this process, which has one thread then.
        if let service = value(of: "service") { setenv("PGSERVICE", service, 1) }
        if let file = value(of: "servicefile") { setenv("PGSERVICEFILE", file, 1) }
        guard let options = PQconndefaults() else {
            throw LinkError(.invalidConnectionString, "libpq cannot read the service that is named, or the environment")
        }
        defer { PQconninfoFree(options) }
        let defaults = Dictionary(uniqueKeysWithValues: Self.keywords(in: options).map { ($0.keyword, $0.value) })
        return defaulting(defaults).removing("service").removing("servicefile")
    }

    /// The value given for a keyword, or nil.
    package func value(of keyword: String) -> String? {
        settings.first { $0.keyword == keyword }?.value
    }

    /// With these settings instead of, or besides, its own.
    package func merging(_ additions: [String: String]) -> ConnectionString {
        var merged = self
        for (keyword, value) in additions.sorted(by: { $0.key < $1.key }) {
            if let index = merged.settings.firstIndex(where: { $0.keyword == keyword }) {
                merged.settings[index].value = value
            } else {
                let isSecret = Self.secretKeywords.contains(keyword)
                merged.settings.append(Setting(keyword: keyword, value: value, isSecret: isSecret))
            }
        }
        let order = Self.order
        merged.settings.sort { (order[$0.keyword] ?? .max, $0.keyword) < (order[$1.keyword] ?? .max, $1.keyword) }
        return merged
    }

    /// With these settings only where it has none of its own.
    package func defaulting(_ defaults: [String: String]) -> ConnectionString {
        merging(defaults.filter { value(of: $0.key) == nil })
    }

    package func removing(_ keyword: String) -> ConnectionString {
        var rest = self
        rest.settings.removeAll { $0.keyword == keyword }
        return rest
    }

    /// The string without its password, and the password: for a program that is given the rest as an argument.
    package func passwordTaken() -> (without: ConnectionString, password: String?) {
        (removing("password"), value(of: "password"))
    }

    /// For people to type: they are asked for the password, and know the other secrets.
    package var withoutSecrets: ConnectionString {
        var rest = self
        rest.settings.removeAll(where: \.isSecret)
        return rest
    }

    /// For commands of the replication protocol (`IDENTIFY_SYSTEM`, …), as PostgreSQL's own tools ask for it.
    package var forReplication: ConnectionString {
        // The database name counts only for a password file's entry there.
        merging(["replication": "true", "dbname": "replication"])
    }

    /// The whole string, passwords included: for libpq only.
    package var text: String { render { $0.value } }

    /// For people and logs: each secret as `***`.
    package var redacted: String { render { $0.isSecret ? "***" : $0.value } }

    /// The same without what libpq would add by itself.
    package var shortened: String {
        let usual = Self.defaults
        var short = self
        short.settings.removeAll { usual[$0.keyword] == $0.value }
        return short.redacted
    }

    /// Keywords and values as libpq takes them.
    var pairs: [(keyword: String, value: String)] { settings.map { ($0.keyword, $0.value) } }

    private func render(_ shown: (Setting) -> String) -> String {
        settings.map { "\($0.keyword)=\(Self.quoted(shown($0)))" }.joined(separator: " ")
    }

    /// A value as it stands in a connection string: in quotes unless it is plain.
    package static func quoted(_ value: String) -> String {
        let isPlain = value.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: ","), UInt8(ascii: "*"), UInt8(ascii: "@"):
                true
            default:
                false
            }
        }
        if isPlain, !value.isEmpty { return value }
        var quoted = "'"
        for character in value.unicodeScalars {
            if character == "'" || character == "\\" { quoted.unicodeScalars.append("\\") }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "'"
    }
}

extension ConnectionString: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { redacted }
    package var debugDescription: String { redacted }
    package var customMirror: Mirror { Mirror(self, children: ["redacted": redacted]) }
}

extension ConnectionString {
    /// libpq marks what a dialog must hide with `*`; a keyword that this libpq does not know yet is named here.
    private static let secretKeywords: Set<String> = [
        "password", "sslpassword", "oauth_client_secret", "scram_client_key",
    ]

    /// Each keyword's place in libpq's list.
    private static let order: [String: Int] = {
        guard var option = PQconninfoParse("", nil) else { return [:] }
        let options = option
        defer { PQconninfoFree(options) }
        var order: [String: Int] = [:]
        while let keyword = option.pointee.keyword {
            order[String(cString: keyword)] = order.count
            option += 1
        }
        return order
    }()

    /// libpq's own, by keyword.
    private static let defaults: [String: String] = {
        guard let options = PQconndefaults() else { return [:] }
        defer { PQconninfoFree(options) }
        return Dictionary(uniqueKeysWithValues: keywords(in: options).map { ($0.keyword, $0.value) })
    }()

    private static func keywords(in options: UnsafeMutablePointer<PQconninfoOption>) -> [Setting] {
        var settings: [Setting] = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                let name = String(cString: keyword)
                let isMarked = option.pointee.dispchar.map { $0.pointee == CChar(UInt8(ascii: "*")) } ?? false
                let isSecret = isMarked || secretKeywords.contains(name)
                settings.append(Setting(keyword: name, value: String(cString: value), isSecret: isSecret))
            }
            option += 1
        }
        return settings
    }

    /// libpq's complaint quotes parts of the text, so it is passed on only where these cannot be a secret.
    private static func refusal(of text: String, complaint: String?) -> LinkError {
        let lowered = text.lowercased()
        let mayHoldSecret = lowered.contains("pass") || lowered.contains("secret") || lowered.contains("://")
        let reason = mayHoldSecret ? nil : complaint?.split(separator: "\n").first.map(String.init)
        return LinkError(
            .invalidConnectionString,
            "not a connection string" + (reason.map { ": \($0)" } ?? ""),
            hint: "for example 'host=db1 user=replication'; a value with spaces or quotes is written 'like \\' this'"
        )
    }
}
