import Testing

@testable import Platform

struct SystemMemoryTests {
    @Test func theLimitsOfAllGroupsCount() {
        let files = [
            "/proc/self/cgroup": "1:name=systemd:/x\n0::/system.slice/pgarchive.service\n",
            "/sys/fs/cgroup/system.slice/memory.max": "4294967296\n",
            "/sys/fs/cgroup/system.slice/pgarchive.service/memory.max": "max\n",
        ]
        #expect(SystemMemory.groupLimits { files[$0] } == [4 << 30])
        #expect(SystemMemory.groupLimits { _ in nil }.isEmpty)
        #expect(SystemMemory.totalBytes > 1 << 20)
    }
}
