import Foundation
import Testing

/// A major version of PostgreSQL to run end-to-end tests against.
package struct TestMajor: Sendable, CustomTestStringConvertible {
    package let number: Int
    /// The directory of its programs; nil where it is not here.
    package let bin: String?

    package var testDescription: String { "PostgreSQL \(number)" }

    /// All that are supported, also those that are not here: they are skipped by name.
    package static let all: [TestMajor] = (15...18).map { number in
        let named = ProcessInfo.processInfo.environment["PGARCHIVE_POSTGRES_\(number)"]
        let usual = "/usr/lib/postgresql/\(number)/bin"
        let bin = [named, usual].compactMap(\.self).first {
            FileManager.default.isExecutableFile(atPath: "\($0)/postgres")
        }
        return TestMajor(number: number, bin: bin)
    }

    /// All but the one that other tests run on.
    package static let further = all.filter { $0.bin == nil || $0.bin != TestEnvironment.postgresBin }

    /// The directory of its programs; ends the running case as skipped, with the reason, where it is not here.
    package func orSkip() throws -> String {
        guard let bin else {
            try Test.cancel("needs PostgreSQL \(number): PGARCHIVE_POSTGRES_\(number), as scripts/servers prints it")
        }
        return bin
    }
}
