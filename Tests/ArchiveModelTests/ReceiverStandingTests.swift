import ArchiveModel
import Testing
import WALFormat

@Suite("What a receiver's word is worth")
struct ReceiverStandingTests {
    private static let now = PostgresTime(unixMicroseconds: 1_800_000_000_000_000)

    private static func ago(_ seconds: Int64) -> PostgresTime {
        PostgresTime(unixMicroseconds: now.unixMicroseconds - seconds * 1_000_000)
    }

    private static func standing(
        _ state: ReceiverStatus.State,
        updated: Int64,
        heard: Int64?,
        holder: Int32 = 7
    ) -> ReceiverStatus.Standing {
        var status = ReceiverStatus(processID: 7, updatedAt: ago(updated))
        status.state = state
        status.heardAt = heard.map(ago)
        return ReceiverStatus.standing(status, holder: holder, now: now)
    }

    @Test func aLivingOneIsBelieved() {
        let standing = Self.standing(.streaming, updated: 4, heard: 20)
        #expect(standing.isAlive && standing.word == "streaming" && standing.reason == nil)
        // Its lock could not be described.
        #expect(Self.standing(.streaming, updated: 4, heard: 20, holder: 0).word == "streaming")
    }

    /// A status file holds what it holds.
    @Test(arguments: [Int64.min, .max])
    func noTimeIsTooFar(_ microseconds: Int64) {
        let status = ReceiverStatus(processID: 7, updatedAt: PostgresTime(rawValue: microseconds))
        let standing = ReceiverStatus.standing(status, holder: 7, now: Self.now)
        #expect(standing.isAlive == (microseconds > 0))
    }

    @Test func aNewProcessHasNotSpokenYet() {
        #expect(Self.standing(.streaming, updated: 1, heard: 1, holder: 8).word == "starting")
        #expect(ReceiverStatus.standing(nil, holder: 8, now: Self.now).word == "starting")
    }

    @Test func oneThatSaysNothingIsSilent() {
        let standing = Self.standing(.streaming, updated: 45, heard: 46)
        #expect(standing.word == "silent" && !standing.isAlive)
        #expect(standing.reason?.contains("45 s") == true)
    }

    @Test func silenceOfTheUpstreamIsSaidToo() {
        let standing = Self.standing(.streaming, updated: 2, heard: 300)
        #expect(standing.word == "silent" && standing.isAlive)
        #expect(standing.reason?.contains("upstream") == true)
        // Where it is known already, its own reason is better.
        #expect(Self.standing(.retrying, updated: 2, heard: 300).word == "retrying")
        #expect(Self.standing(.streaming, updated: 2, heard: nil).word == "streaming")
    }
}
