package import Foundation

/// A program `crontab` whose table is a file of the test: no user's own is touched.
package struct StandInCrontab: Sendable {
    /// The directory for PATH.
    package let programs: String
    package let table: URL

    init(in directory: TestDirectory) throws {
        programs = try directory.subdirectory("programs", mode: 0o755)
        let table = "\(programs)/table"
        self.table = URL(fileURLWithPath: table)
        let script = """
            #!/bin/sh
            if [ -e '\(table).unreadable' ]; then echo '\(table): Input/output error' >&2; exit 1; fi
            if [ "$1" = - ]; then exec cat > '\(table)'; fi
            if [ ! -e '\(table)' ]; then echo 'no crontab for me' >&2; exit 1; fi
            if [ "$1" = -r ]; then exec rm '\(table)'; fi
            exec cat '\(table)'

            """
        try SpoiltFile.write(script, to: "\(programs)/crontab")
        try TestCommand("/bin/chmod", ["755", "\(programs)/crontab"]).succeed()
    }

    /// Nil when the user has none.
    package func content() throws -> Data? {
        FileManager.default.fileExists(atPath: table.path) ? try Data(contentsOf: table) : nil
    }

    package func text() throws -> String? { try content().map { String(decoding: $0, as: UTF8.self) } }
}
