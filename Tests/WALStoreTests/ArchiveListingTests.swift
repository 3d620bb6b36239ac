import Testing
import WALFormat
import WALStore

@Suite struct ArchiveListingTests {
    @Test func sortsNamesIntoWhatTheyAre() {
        let listing = ArchiveListing([
            (name: "000000010000000000000002.zst", bytes: 10, stamp: nil),
            (name: "000000010000000000000001", bytes: 100, stamp: nil),
            (name: "000000010000000000000001.zst", bytes: 5, stamp: nil),
            (name: "000000010000000000000003.partial", bytes: 7, stamp: nil),
            (name: "000000020000000000000003", bytes: 100, stamp: nil),
            (name: "00000002.history", bytes: 30, stamp: nil),
            (name: "000000010000000000000003.partial.suspect-1", bytes: 1, stamp: nil),
            (name: "000000010000000000000001.00000028.backup", bytes: 1, stamp: nil),
        ])
        #expect(
            listing.segments.map(\.fileName) == [
                "000000010000000000000001", "000000010000000000000002.zst", "000000010000000000000003.partial",
                "000000020000000000000003",
            ]
        )
        #expect(listing.histories == [TimelineID(2)])
        #expect(listing.backupHistories == ["000000010000000000000001.00000028.backup"])
        #expect(listing.foreign == ["000000010000000000000003.partial.suspect-1"])
        #expect(listing.newestTimeline == TimelineID(2))
        #expect(listing.totalBytes == 254)
        #expect(listing.last(of: TimelineID(1))?.form == .partial)
    }
}
