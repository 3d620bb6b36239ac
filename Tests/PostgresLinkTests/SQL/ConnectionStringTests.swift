import PostgresLink
import Testing

@Suite("Connection strings")
struct ConnectionStringTests {
    @Test(arguments: [
        "", "plain", "with space", "it's", "back\\slash", "both '\\ and \"", "line\nbreak", "ünïcode", "=", "a=b", "'",
        "\\",
        "tab\there", "$(x)", "#",
    ])
    func valuesSurviveQuoting(_ value: String) throws {
        let made = try ConnectionString("").merging(["password": value, "user": value])
        let parsed = try ConnectionString(made.text)
        #expect(parsed.value(of: "password") == value)
        #expect(parsed.value(of: "user") == value)
        #expect(parsed == made)
    }

    @Test func bothFormsAreRead() throws {
        let words = try ConnectionString("host=db1 port=5433 user=x dbname='a b'")
        let address = try ConnectionString("postgresql://x@db1:5433/a%20b")
        #expect(words == address)
        #expect(words.value(of: "dbname") == "a b")
        #expect(words.value(of: "password") == nil)
    }

    @Test func settingsAreMerged() throws {
        let base = try ConnectionString("host=db1 port=1")
        #expect(base.merging(["port": "2", "user": "u"]).text == "user=u host=db1 port=2")
        #expect(base.defaulting(["port": "2", "user": "u"]).text == "user=u host=db1 port=1")
        #expect(base.removing("port").text == "host=db1")
        #expect(base.forReplication.value(of: "replication") == "true")
    }

    @Test(arguments: ["password=s3cr3t host=h", "postgresql://u:s3cr3t@h/d", "host=h sslpassword=s3cr3t"])
    func passwordsAreNeverShown(_ text: String) throws {
        let connection = try ConnectionString(text)
        var dumped = ""
        dump(connection, to: &dumped)
        for shown in ["\(connection)", String(reflecting: connection), connection.redacted, dumped] {
            #expect(!shown.contains("s3cr3t"))
            #expect(shown.contains("***"))
        }
        #expect(connection.text.contains("s3cr3t"))
    }

    @Test func thePasswordCanBeTakenOut() throws {
        let (without, password) = try ConnectionString("host=h password='s e'").passwordTaken()
        #expect(password == "s e")
        #expect(without.text == "host=h")
        #expect(try ConnectionString("host=h").passwordTaken().password == nil)
    }

    @Test func whatIsShownToBeTypedHasNoSecret() throws {
        let connection = try ConnectionString("host=h password=one sslpassword=two sslkey=k user=u")
        let words = Set(connection.withoutSecrets.text.split(separator: " "))
        #expect(words == ["host=h", "sslkey=k", "user=u"])
    }

    @Test(arguments: [
        "host", "password=my s3cr3t", "postgresql://u:s3cr3t@[::1/", "nosuchkeyword=1", "host='open",
        "password='s3cr3t", "service=prod", "host=a\0b",
    ])
    func whatIsNoneIsRefusedWithoutALeak(_ text: String) {
        let error = #expect(throws: LinkError.self) { try ConnectionString(text) }
        #expect(error?.kind == .invalidConnectionString)
        #expect(error.map { !"\($0) \($0.hint ?? "")".contains("s3cr3t") } ?? false)
        #expect(error?.hint != nil)
    }

    @Test func namesOfLibpqsVariables() {
        for name in ["PGHOST", "PGPASSFILE", "PGSERVICEFILE", "PGTZ", "PGSYSCONFDIR"] {
            #expect(LibpqEnvironment.isLibpq(name))
        }
        for name in ["PGARCHIVE", "PGARCHIVE_HOME", "PATH", "pghost"] { #expect(!LibpqEnvironment.isLibpq(name)) }
    }

    @Test func theShellsVariablesAreCleared() {
        var variables = ["PGHOST": "elsewhere", "PGSERVICEFILE": "/nowhere", "PGARCHIVE": "/container", "PATH": "/bin"]
        for name in LibpqEnvironment.unwanted(in: variables) { variables[name] = nil }
        #expect(variables == ["PGARCHIVE": "/container", "PATH": "/bin"])
    }
}
