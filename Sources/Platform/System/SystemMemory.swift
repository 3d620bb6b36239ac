import Glibc

/// The memory that there is for us.
package enum SystemMemory {
    /// This machine's, or less where this process's control group has a limit (cgroup v2).
    package static var totalBytes: UInt64 {
        let pages = sysconf(Int32(_SC_PHYS_PAGES))
        let size = sysconf(Int32(_SC_PAGESIZE))
        let machine = pages > 0 && size > 0 ? UInt64(pages) * UInt64(size) : 1 << 30
        return groupLimits(readText: { try? FileTree.readText($0, limit: 4096) }).reduce(machine, min)
    }

    /// The limits of this process's group and of those that it lies in.
    static func groupLimits(readText: (String) -> String?) -> [UInt64] {
        let lines = (readText("/proc/self/cgroup") ?? "").split(separator: "\n")
        guard let own = lines.first(where: { $0.hasPrefix("0::") })?.dropFirst(3) else { return [] }
        var directory = "/sys/fs/cgroup"
        var limits: [UInt64] = []
        for name in [""] + own.split(separator: "/").map(String.init) {
            if !name.isEmpty { directory += "/\(name)" }
            // "max" where there is none.
            let text = readText("\(directory)/memory.max") ?? ""
            if let limit = UInt64(text.filter { $0 != "\n" }), limit > 0 { limits.append(limit) }
        }
        return limits
    }
}
