import Testing
import WALFormat

struct PostgresTimeTests {
    @Test(arguments: [
        (0, "2000-01-01T00:00:00.000000Z"),
        (-1, "1999-12-31T23:59:59.999999Z"),
        (1, "2000-01-01T00:00:00.000001Z"),
        (5_097_599_999_999, "2000-02-28T23:59:59.999999Z"),
        (5_097_600_000_000, "2000-02-29T00:00:00.000000Z"),
        (848_564_630_000_000, "2026-11-21T08:23:50.000000Z"),
        (-3_155_760_000_000_000, "1899-12-31T00:00:00.000000Z"),
        (3_155_760_000_000_000, "2100-01-01T00:00:00.000000Z"),
        (Int64.max, "infinity"),
        (Int64.min, "-infinity"),
    ])
    func textAndBack(_ value: Int64, _ text: String) {
        #expect(PostgresTime(rawValue: value).description == text)
        #expect(PostgresTime(text)?.rawValue == value)
    }

    @Test func everyDayOfFourHundredYearsComesBack() {
        for day in Int64(-73_000)...73_200 {
            let time = PostgresTime(rawValue: day * 86_400_000_000 + 1)
            #expect(PostgresTime(time.description) == time)
        }
    }

    @Test(arguments: [Int64.max - 1, -211_813_488_000_000_000, -63_113_904_000_000_001, 252_455_616_000_000_000])
    func farAwayMomentsComeBack(_ value: Int64) {
        let time = PostgresTime(rawValue: value)
        #expect(PostgresTime(time.description) == time)
    }

    @Test(arguments: [
        "", "Z", "T", "2026-11-21", "2026-11-21T08:23:50", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-11-21T24:00:00Z", "2026-11-21T08:60:00Z", "2026-11-21T08:23:50.Z", "2026-11-21T08:23:50.1234567Z",
        "999999-01-01T00:00:00Z", "2026-11-21T08:23:50+01Z", "٢٠٢٦-11-21T08:23:50Z", "2026-11-21T08:23:5 Z",
    ])
    func whatIsNoInstantIsRefused(_ text: String) {
        #expect(PostgresTime(text) == nil)
    }

    @Test func anyTwoMomentsHaveADistance() throws {
        let (start, end) = (try #require(PostgresTime("-infinity")), try #require(PostgresTime("infinity")))
        #expect(PostgresTime(rawValue: 2_500_000).seconds(since: PostgresTime(rawValue: 1_000_000)) == 1.5)
        #expect(PostgresTime(rawValue: 0).seconds(since: PostgresTime(rawValue: 1_000_000)) == -1)
        #expect(end.seconds(since: start) > 1e13)
        #expect(start.seconds(since: end) < -1e13)
    }

    @Test func aShortFractionIsRead() {
        #expect(PostgresTime("2000-01-01T00:00:01.5Z")?.rawValue == 1_500_000)
        #expect(PostgresTime("2000-01-01T00:00:01Z")?.rawValue == 1_000_000)
    }
}
