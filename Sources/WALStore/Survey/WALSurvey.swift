package import ArchiveModel
import Platform
package import WALFormat

/// One pass over an archive's segments that validates and surveys them, on all processors, with fixed memory.
///
/// ```
/// var state = SurveyState()          // or one that was saved: the pass then goes on where that one ended
/// try WALSurvey(directory, along: path).run(first...last, from: &state) { segment in
///     …                              // each segment in order, with its outcome, summary and events
///     return .proceed
/// }
/// ```
/// Each page header, record checksum and link to the record before is checked, across segments too: the result is that
/// of one scan in order. Files may vanish, shrink or appear meanwhile: that is an outcome of the segment, not an error.
/// Segments outside of the path (other timelines, duplicates) are not looked at: survey each path by itself.
package struct WALSurvey: Sendable {
    package enum Verdict: Sendable {
        case proceed
        case stop
    }

    let directory: WALDirectory
    let path: TimelinePath
    let expectation: SegmentScanner.Expectation
    private let threads: Int
    private let pieceBytes: UInt64

    /// - Parameters:
    ///   - expectation: what is known of the cluster; the timeline is set by the path.
    ///   - threads: how many scan at once; by default one for each processor.
    ///   - pieceBytes: larger segments are scanned in pieces of this length.
    package init(
        _ directory: WALDirectory,
        along path: TimelinePath,
        expectation: SegmentScanner.Expectation = .init(),
        threads: Int? = nil,
        pieceBytes: UInt64 = 16 << 20
    ) {
        self.directory = directory
        self.path = path
        self.expectation = expectation
        self.threads = max(1, threads ?? SystemProcessors.count)
        self.pieceBytes = max(UInt64(1 << 13), min(pieceBytes, directory.segmentSize.bytes))
    }

    /// Surveys the segments with these numbers; `deliver` gets them in order, on the caller's thread.
    ///
    /// `state` is then that after the last segment delivered.
    /// - Throws: what `deliver` throws; `SystemError` when no thread can be started.
    package func run(
        _ segments: ClosedRange<UInt64>,
        from state: inout SurveyState,
        deliver: (SurveyedSegment) throws -> Verdict
    ) throws {
        let pieces = SurveyPieces(segments, segmentSize: directory.segmentSize, pieceBytes: pieceBytes)
        let source = SurveySource(directory: directory, path: path, expectation: expectation)
        let workers = min(threads, Int(clamping: pieces.count))
        let team = workers > 1 ? try SurveyTeam(source, pieces, workers: workers) : nil
        defer { team?.stop() }
        var assembly = SurveyAssembly(source, state)
        defer { state = assembly.state }
        let own = SurveyReading(source)
        var memory: SegmentSurvey?
        for piece in pieces {
            var result = try team?.next() ?? own.read(piece, reusing: memory.take())
            let segment = assembly.append(result, of: piece, isLast: pieces.isLastOfSegment(piece)) { border in
                own.read(piece, from: border)
            }
            let used = result.scan.take()?.survey
            if let team { team.giveBack(used) } else { memory = used }
            if let segment, try deliver(segment) == .stop { return }
        }
    }
}
