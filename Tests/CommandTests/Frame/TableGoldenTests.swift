import Foundation
import Platform
import Testing

@testable import pgarchive

/// What the main commands print of fixed values, compared with files in `Golden`; UPDATE_GOLDEN=1 writes them anew.
struct TableGoldenTests {
    enum Page: String, CaseIterable, Codable, CustomTestStringConvertible {
        case status = "container.status"
        case segments = "wal_archive.list"
        case snapshots = "snapshot.list"
        case clones = "clone.list"
        case plan = "clone.create"
        case events = "wal_archive.events"
        case window = "wal_archive.window"
        case verify = "wal_archive.verify"

        var testDescription: String { rawValue }
    }

    /// In a process of its own, whose zone is UTC.
    @Test(arguments: Page.allCases)
    func matchesTheGoldenFile(_ page: Page) async {
        await #expect(processExitsWith: .success) { [page] in
            setenv("TZ", "UTC", 1)
            tzset()
            let file = HelpTests.golden.appending(path: "\(page.rawValue).txt")
            let text = try page.text()
            if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
                try DurableFile.replace(file.path, text: text, mode: 0o644)
            }
            let expected = try String(contentsOf: file, encoding: .utf8)
            #expect(text == expected, "UPDATE_GOLDEN=1 swift test --filter TableGoldenTests writes \(file.path) anew")
        }
    }
}

extension TableGoldenTests.Page {
    func text() throws -> String {
        let plain = Palette(isOn: false)
        return switch self {
        case .status: StatusText.whole(GoldenValues.status, plain, now: GoldenValues.now)
        case .segments: WALListing(GoldenValues.listing, size: GoldenValues.size).text(plain)
        case .snapshots:
            SnapshotListCommand.table(GoldenValues.snapshots, whenEmpty: "no snapshots", now: GoldenValues.now).text(
                plain
            )
        case .clones:
            CloneListCommand.table(GoldenValues.clones, withStatus: true, whenEmpty: "no clones", now: GoldenValues.now)
                .text(plain)
        case .plan: try ClonePlanView(name: "before", requested: "--at 08:50", plan: GoldenValues.plan()).text
        case .events: WALArchiveEventsCommand.table(GoldenValues.events.map(EventRow.init)).text(plain)
        case .window: try WindowText.whole(GoldenValues.window(), plain)
        case .verify: try VerifyView(VerifyViewTests.report()).text(plain)
        }
    }
}
