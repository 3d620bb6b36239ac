import Foundation
import Testing

/// What `scripts/test-summary` makes of Swift Testing's event stream.
@Suite struct SummaryTests {
    private static func event(_ kind: String, _ rest: String, _ messages: [(symbol: String, text: String)]) -> String {
        let said = messages.map { #"{"symbol":"\#($0.symbol)","text":"\#($0.text)"}"# }.joined(separator: ",")
        return #"{"kind":"event","payload":{\#(rest)"kind":"\#(kind)","messages":[\#(said)],"testID":"T.S\/f(n:)"},"#
            + #""version":0}"#
    }

    private static func issue(_ line: Int, isKnown: Bool = false, _ texts: String...) -> String {
        let place = #""sourceLocation":{"column":3,"fileID":"T\/S.swift","line":\#(line)}"#
        let head =
            #""_comments":[],"_testCase":{"displayName":"\"two\"","id":"2"},"#
            + #""issue":{"isKnown":\#(isKnown),\#(place)},"#
        return event(
            "issueRecorded",
            head,
            texts.enumerated().map { ($0.offset == 0 ? "fail" : "details", $0.element) }
        )
    }

    @Test("a failure is printed with its place, its case and every comment")
    func failures() throws {
        let lines = [
            #"{"kind":"test","payload":{"id":"T.S\/f(n:)","isParameterized":true,"kind":"function"},"version":0}"#,
            Self.event("testStarted", "", [("default", "started")]),
            Self.issue(7, "Issue recorded", #"left behind: \/tmp\/a\nand \"text\":\"b\""#),
            Self.issue(8, "Expectation failed: n == 1", "first comment", "second comment"),
            Self.issue(9, isKnown: true, "Issue recorded", "known"),
            Self.event("testEnded", "", [("fail", "Test f(n:) failed")]),
            #"{"kind":"event","payload":{"kind":"runEnded","messages":[]},"version":0}"#,
        ]
        let file = FileManager.default.temporaryDirectory.appending(path: "summary-\(UUID().uuidString).jsonl")
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let script = Process()
        script.executableURL = URL(fileURLWithPath: "\(TidyTests.root)/scripts/test-summary")
        script.arguments = [file.path, "1", "5"]
        let output = Pipe()
        script.standardOutput = output
        try script.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        script.waitUntilExit()
        #expect(script.terminationStatus == 1)
        #expect(
            text == """

                failed:
                  T.S/f(n:)
                      Issue recorded with "two" (T/S.swift:7)
                        left behind: /tmp/a and "text":"b"
                      Expectation failed: n == 1 with "two" (T/S.swift:8)
                        first comment
                        second comment

                0 passed, 1 failed, 0 skipped in 5 s

                """
        )
    }
}
