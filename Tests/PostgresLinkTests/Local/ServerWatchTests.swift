import Testing

@testable import PostgresLink

struct ServerWatchTests {
    @Test(arguments: [
        "postgres: pgarchive main clone look: postgres shop [local] idle\0",
        "postgres: app shop 10.0.0.7(41234) SELECT\0\0\0", "postgres: app shop fe80::1(5000) idle in transaction",
        "postgres: walsender app 127.0.0.1(41234) streaming 0/3000060",
    ])
    func isAClient(_ title: String) {
        #expect(RunningServer.isClient(title: title))
    }

    @Test(arguments: [
        "", "postgres: pgarchive main clone look: checkpointer \0",
        "postgres: startup recovering 000000010000000000000003",
        "postgres: parallel worker for PID 4711", "postgres: autovacuum worker shop", "psql host(5000)",
        "postgres: logger (5000)", "postgres: walwriter x(5000", "postgres: archiver last was x(99999)",
    ])
    func isNone(_ title: String) {
        #expect(!RunningServer.isClient(title: title))
    }
}
