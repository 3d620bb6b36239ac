import ArchiveEngine
import Testing
import WALFormat

@Suite("Restarts and names")
struct RestartPolicyTests {
    @Test("a first death restarts at once; repeated ones ever more slowly, up to a limit, and for ever")
    func backoff() {
        var policy = RestartPolicy()
        #expect(policy.died(ranSeconds: 5) == 0)
        var last = 0.0
        for _ in 0..<100 {
            let delay = policy.died(ranSeconds: 0.1)
            #expect(delay >= last)
            #expect(delay <= RestartPolicy.longestDelaySeconds)
            last = delay
        }
        #expect(last == RestartPolicy.longestDelaySeconds)
        #expect(policy.died(ranSeconds: RestartPolicy.healthySeconds) == 0)
    }

    @Test("a part that does not start at all is not tried in a hot loop")
    func neverStarts() {
        var policy = RestartPolicy()
        #expect(policy.died(ranSeconds: 0) > 0)
    }

    @Test(arguments: [("prod", "pgarchive_prod"), ("my.db-2", "pgarchive_my_db_2"), ("a_b", "pgarchive_a_b")])
    func slots(_ container: String, _ slot: String) {
        #expect(StandardSlot.name(container: container) == slot)
    }

    @Test func snapshotNames() {
        let time = PostgresTime(unixMicroseconds: 1_795_249_430_999_999)
        #expect(Instant.compact(time) == "20261121-082350")
        #expect(Instant.iso(time) == "2026-11-21T08:23:50.999999Z")
    }
}
