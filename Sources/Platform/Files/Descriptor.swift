import CPlatform
import Glibc

/// A file descriptor with one owner; closed when it goes out of scope, never inherited by programs started.
package struct Descriptor: ~Copyable, Sendable {
    package private(set) var raw: Int32
    /// Where it came from, for error texts only.
    package let path: String?

    /// Takes over `raw`, which nobody else may close.
    package init(owning raw: Int32, path: String? = nil) {
        self.raw = raw
        self.path = path
    }

    deinit {
        if raw >= 0 { Glibc.close(raw) }
    }

    /// Opens `path`; O_CLOEXEC is always added to the flags.
    package static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0o600) throws(SystemError) -> Descriptor {
        let raw = try checked(pgarchive_open(AT_FDCWD, path, flags, mode), "open", path)
        return Descriptor(owning: raw, path: path)
    }

    /// Opens `name` relative to the directory `parent`.
    package static func open(
        _ name: String,
        in parent: borrowing Descriptor,
        _ flags: Int32,
        mode: UInt32 = 0o600
    ) throws(SystemError) -> Descriptor {
        let path = parent.path.map { "\($0)/\(name)" } ?? name
        let raw = try checked(pgarchive_open(parent.raw, name, flags, mode), "open", path)
        return Descriptor(owning: raw, path: path)
    }

    /// Closes and reports what `close` says; some filesystems report a failed write only here.
    package consuming func close() throws(SystemError) {
        let closing = raw
        raw = -1
        try checkedCall(Glibc.close(closing), "close", path)
    }

    /// Hands the number to someone else, who closes it.
    package consuming func release() -> Int32 {
        let released = raw
        raw = -1
        return released
    }

    /// Another descriptor of the same open file.
    package func duplicate() throws(SystemError) -> Descriptor {
        let copy = try checkedCall(fcntl(raw, F_DUPFD_CLOEXEC, 3), "duplicate the descriptor of", path)
        return Descriptor(owning: copy, path: path)
    }

    /// A file without a name, in memory.
    package static func memory(_ name: String) throws(SystemError) -> Descriptor {
        Descriptor(owning: try checked(pgarchive_memory_file(name), "create a file in memory"))
    }

    /// Both ends of a new pipe.
    package static func pipe() throws(SystemError) -> PipeEnds {
        var ends: [Int32] = [-1, -1]
        try checked(pgarchive_pipe(&ends), "create a pipe")
        return PipeEnds(reading: Descriptor(owning: ends[0]), writing: Descriptor(owning: ends[1]))
    }

    package func setNonBlocking(_ nonBlocking: Bool) throws(SystemError) {
        try checked(pgarchive_set_flags(raw, nonBlocking), "set flags of", path)
    }
}

package struct PipeEnds: ~Copyable, Sendable {
    package var reading: Descriptor
    package var writing: Descriptor
}
