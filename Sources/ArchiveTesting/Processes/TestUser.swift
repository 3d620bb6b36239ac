import Foundation

/// Whom a test runs a program as.
package enum TestUser: Sendable, Hashable {
    /// The user of the test run: root where tests run as root.
    case caller
    /// The owner of containers and of throwaway servers: `postgres` under root, otherwise the caller.
    case owner
}

/// A user of this system, as far as tests need one.
package struct TestAccount: Sendable, Hashable {
    package let name: String
    package let uid: UInt32
    package let gid: UInt32
    package let home: String

    package static func named(_ name: String) -> TestAccount? {
        guard let entry = getpwnam(name) else { return nil }
        return TestAccount(entry.pointee)
    }

    package static let current: TestAccount = {
        guard let entry = getpwuid(geteuid()) else {
            return TestAccount(name: String(geteuid()), uid: geteuid(), gid: getegid(), home: "/")
        }
        return TestAccount(entry.pointee)
    }()

    private init(name: String, uid: UInt32, gid: UInt32, home: String) {
        self.name = name
        self.uid = uid
        self.gid = gid
        self.home = home
    }

    private init(_ entry: passwd) {
        self.init(
            name: String(cString: entry.pw_name),
            uid: entry.pw_uid,
            gid: entry.pw_gid,
            home: String(cString: entry.pw_dir)
        )
    }
}
