import CPlatform
import Glibc

/// An account of this system.
package struct SystemUser: Sendable, Hashable {
    package let name: String
    package let uid: UInt32
    package let gid: UInt32
    /// All groups, the primary one included.
    package let groups: [UInt32]
    package let home: String

    /// The account of that name, nil when there is none.
    package static func named(_ name: String) throws(SystemError) -> SystemUser? {
        try lookUp(name) { entry, buffer, size, found in getpwnam_r(name, entry, buffer, size, found) }
    }

    package static func withID(_ uid: UInt32) throws(SystemError) -> SystemUser? {
        try lookUp("user \(uid)") { entry, buffer, size, found in getpwuid_r(uid, entry, buffer, size, found) }
    }

    /// The effective user of this process; works without an account, as in many containers.
    package static func current() throws(SystemError) -> SystemUser {
        if let user = try withID(geteuid()) { return user }
        return SystemUser(name: "\(geteuid())", uid: geteuid(), gid: getegid(), groups: [getegid()], home: "/")
    }

    package static var isRoot: Bool { geteuid() == 0 }

    /// Makes this process, for good, one of this user.
    ///
    /// Sets groups, ids, HOME, USER and LOGNAME, and leaves a directory that the user cannot be in. Nothing to do, and
    /// no error, when it is the user already; EPERM when not root.
    package func become() throws(SystemError) {
        guard getuid() != uid || geteuid() != uid || getgid() != gid || getegid() != gid else { return }
        try checked(pgarchive_become(uid, gid, groups, groups.count), "become", name)
        setenv("HOME", home, 1)
        setenv("USER", name, 1)
        setenv("LOGNAME", name, 1)
        if access(".", X_OK) != 0, chdir(home) != 0 { try checkedCall(chdir("/"), "enter", "/") }
    }

    private typealias Search = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func lookUp(_ what: String, _ search: Search) throws(SystemError) -> SystemUser? {
        var size = 4096
        while true {
            var entry = passwd()
            var found: UnsafeMutablePointer<passwd>?
            var user: SystemUser?
            var buffer = [CChar](repeating: 0, count: size)
            let failure = buffer.withUnsafeMutableBufferPointer { space -> Int32 in
                guard let base = space.baseAddress else { return ENOMEM }
                let failure = search(&entry, base, space.count, &found)
                if failure == 0, found != nil { user = SystemUser(entry) }
                return failure
            }
            switch failure {
            case 0, ENOENT, ESRCH: return user
            case ERANGE where size < 1 << 20: size *= 4
            case EINTR: continue
            default: throw SystemError(call: "look up", errno: failure, path: what)
            }
        }
    }

    private init(_ entry: passwd) {
        let name = String(cString: entry.pw_name)
        self.init(
            name: name,
            uid: entry.pw_uid,
            gid: entry.pw_gid,
            groups: Self.groups(of: name, primary: entry.pw_gid),
            home: String(cString: entry.pw_dir)
        )
    }

    package init(name: String, uid: UInt32, gid: UInt32, groups: [UInt32], home: String) {
        self.name = name
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home
    }

    private static func groups(of name: String, primary: gid_t) -> [UInt32] {
        var count: Int32 = 64
        while count <= 65536 {
            let room = count
            var groups = [gid_t](repeating: primary, count: Int(room))
            if getgrouplist(name, primary, &groups, &count) >= 0 { return Array(groups.prefix(Int(count))) }
            count = max(count, room * 2)
        }
        return [primary]
    }
}
