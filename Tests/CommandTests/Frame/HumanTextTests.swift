import Testing
import WALFormat

@testable import pgarchive

struct HumanTextTests {
    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 kB"), (1536, "1.5 kB"), (10_188, "9.9 kB"), (10_240, "10 kB"),
            (1_048_524, "1.0 MB"), (16 << 20, "16 MB"), (1 << 30, "1.0 GB"), (3 << 40, "3.0 TB"),
            (UInt64.max, "16384 PB"),
        ] as [(UInt64, String)]
    )
    func bytes(_ count: UInt64, _ text: String) {
        #expect(HumanText.bytes(count) == text)
    }

    @Test(arguments: [
        (-3.0, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m 00s"), (3599, "59m 59s"), (3600, "1h 00m"), (90_000, "1d 01h"),
        (Double.infinity, "11574074d 01h"),
    ])
    func durations(_ seconds: Double, _ text: String) {
        #expect(HumanText.duration(seconds: seconds) == text)
    }

    @Test(arguments: [(0.0, "0 ms"), (0.0349, "35 ms"), (1.44, "1.4 s"), (61, "1m 01s")])
    func elapsed(_ seconds: Double, _ text: String) {
        #expect(HumanText.elapsed(seconds: seconds) == text)
    }

    @Test func instantsCanBeReadBackByDate() throws {
        for text in ["2026-11-21T08:23:50.123456Z", "1969-12-31T23:59:59.500000Z", "2026-06-01T12:00:00.000000Z"] {
            let time = try #require(PostgresTime(text))
            #expect(try TimeInput.resolve(HumanText.instant(time)) == time)
        }
    }

    @Test func tableInstantsEndAtTheSecond() throws {
        let time = try #require(PostgresTime("1999-12-31T23:59:59.900000Z"))
        #expect(!HumanText.instantSeconds(time).contains("."))
        #expect(HumanText.instant(time).contains("59.9"))
        #expect(try TimeInput.resolve(HumanText.instantFullSecond(from: time)).rawValue == 0)
    }
}
