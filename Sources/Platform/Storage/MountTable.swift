/// One line of /proc/self/mountinfo, see proc(5).
package struct MountEntry: Sendable, Hashable {
    package let mountPoint: String
    /// What of the filesystem is mounted: "/", a directory or a subvolume.
    package let root: String
    package let filesystem: String
    /// The device or other source.
    package let source: String
    /// Options of the mount, then those of the filesystem.
    package let options: [String]

    init?(_ line: Substring) {
        let fields = line.split(separator: " ")
        guard let separator = fields.firstIndex(of: "-"), separator >= 6, fields.count >= separator + 3 else {
            return nil
        }
        root = MountTable.unescaped(fields[3])
        mountPoint = MountTable.unescaped(fields[4])
        filesystem = String(fields[separator + 1])
        source = MountTable.unescaped(fields[separator + 2])
        let superOptions = fields.count > separator + 3 ? fields[separator + 3] : ""
        options = (fields[5].split(separator: ",") + superOptions.split(separator: ",")).map(String.init)
    }
}

/// What is mounted in this process's mount namespace.
package enum MountTable {
    package static func entries() throws(SystemError) -> [MountEntry] {
        parse(try FileTree.readText("/proc/self/mountinfo"))
    }

    package static func parse(_ text: String) -> [MountEntry] {
        text.split(separator: "\n").compactMap { MountEntry($0) }
    }

    /// What is mounted exactly there, nil when nothing is.
    ///
    /// Of several, the uppermost.
    package static func mount(at path: String) throws(SystemError) -> MountEntry? {
        let real: String
        do throws(SystemError) { real = try FileTree.resolved(path) } catch {
            if error.isNotFound { return nil }
            throw error
        }
        return try entries().last { $0.mountPoint == real }
    }

    package static func isMountPoint(_ path: String) throws(SystemError) -> Bool { try mount(at: path) != nil }

    /// Blanks and the like stand as a backslash and three octal digits.
    static func unescaped(_ field: Substring) -> String {
        guard field.utf8.contains(UInt8(ascii: "\\")) else { return String(field) }
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
