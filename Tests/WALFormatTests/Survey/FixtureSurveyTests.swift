import ArchiveTesting
import Testing
import WALFormat

/// The survey of every major's fixture: the events of the script that made it.
@Suite struct FixtureSurveyTests {
    static func survey(_ fixture: Fixture, timeline: UInt32) throws -> (events: [SurveyEvent], state: SurveyState) {
        let (start, bytes) = try fixture.wal(timeline: timeline)
        var state = SurveyState()
        var events: [SurveyEvent] = []
        for name in try fixture.segmentNames(timeline: timeline) {
            let from = try #require(name.start(size: Fixture.size))
            var scan = SurveyScan(
                name,
                from: from,
                upTo: Fixture.size.segmentEnd(of: from),
                segmentSize: Fixture.size,
                expectation: .init()
            )
            while let wanted = scan.wanted {
                let offset = Int(wanted.position.bytes(since: start))
                guard offset < bytes.count else { break }
                let end = min(bytes.count, offset + Int(wanted.count))
                bytes.withUnsafeBytes { scan.consume(UnsafeRawBufferPointer(rebasing: $0[offset..<end])) }
            }
            if case .broken = state.joint(scan) { state.breakOff() }
            events += state.append(scan) { _ in TimelineID(timeline) }
        }
        return (events, state)
    }

    @Test(arguments: Fixture.all)
    func eventsOfTheWorkload(fixture: Fixture) throws {
        let (events, _) = try Self.survey(fixture, timeline: 1)
        let words = events.filter { $0.kind.name != "checkpoint" }.map { event in
            switch event.kind {
            case .drop(let files), .truncate(let files), .rewrite(let files):
                "\(event.kind.name) \(files.removed.count) \(files.dropped.count)"
            case .restorePoint(let name): "restore-point \(name)"
            case .fullPageWritesChange(let isOn): "full-page-writes \(isOn)"
            case .parameterChange(let change): "parameters \(change.maxConnections) \(change.maxWorkerProcesses)"
            default: event.kind.name
            }
        }
        #expect(
            words == [
                "drop 4 4", "restore-point before the truncate", "truncate 4 0", "drop 4 4", "tablespace-create",
                "drop 1 1", "database-create", "database-drop", "tablespace-drop", "full-page-writes false",
                "full-page-writes true", "parameters 57 9",
            ]
        )
        let truncate = try #require(events.first { $0.kind.name == "truncate" })
        #expect(truncate.time != nil)
        #expect(truncate.database == 5)
    }

    @Test(arguments: Fixture.all)
    func theSecondTimeline(fixture: Fixture) throws {
        let (events, _) = try Self.survey(fixture, timeline: 2)
        let switches = events.map(\.kind).filter { $0.name == "timeline-switch" }
        #expect(switches.contains(.timelineSwitch(from: TimelineID(1), to: TimelineID(2))))
    }
}
