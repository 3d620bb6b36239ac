import ArchiveModel
import WALFormat
import WALStore

/// Reads the arguments of `fetch`.
enum FetchArguments {
    private static let options: Set<String> = [
        "--archive", "--from", "--segment-size", "--path", "--until", "--system-identifier", "--hold-file",
        "--end-file",
    ]

    static func parse(_ arguments: [String]) throws(ArgumentError) -> FetchRequest {
        let parsed = try Arguments(
            arguments,
            of: "fetch",
            options: options,
            flags: ["--wait", "--checked", "--new-timeline", "--ahead"]
        )
        guard parsed.names.count == 2 else {
            throw ArgumentError(text: "fetch needs two names, %f and %p, and got \(parsed.names.count)")
        }
        let archive = parsed.values["--archive"]
        let plain = parsed.values["--from"]
        guard let directory = archive ?? plain, !directory.isEmpty, archive == nil || plain == nil else {
            throw ArgumentError(text: "fetch needs either --from DIR or --archive DIR")
        }
        let waits = parsed.flags.contains("--wait")
        let isChecked = parsed.flags.contains("--checked")
        guard !(waits && parsed.values["--until"] != nil) else {
            throw ArgumentError(text: "--wait and --until exclude each other: with an end there is nothing to wait for")
        }
        guard !isChecked || parsed.values["--until"] != nil else {
            throw ArgumentError(text: "--checked needs --until: up to where the WAL is checked")
        }
        var request = FetchRequest(
            archive: directory,
            name: parsed.names[0],
            target: parsed.names[1],
            segmentSize: try parsed.value("--segment-size", "a power of two from 1 MB to 1 GB, in bytes") {
                UInt64($0).flatMap { SegmentSize(bytes: $0) }
            },
            path: try parsed.value("--path", "timelines such as 1@0/5A0,2") { TimelinePath($0) },
            until: try parsed.value("--until", "a WAL position such as 0/5A0") { LSN($0) },
            isChecked: isChecked,
            waits: waits,
            systemIdentifier: try parsed.value("--system-identifier", "a number") { UInt64($0) },
            holdFile: parsed.values["--hold-file"],
            endFile: parsed.values["--end-file"]
        )
        request.isPlain = plain != nil
        request.takesAhead = parsed.flags.contains("--ahead")
        request.takesNewTimeline = parsed.flags.contains("--new-timeline")
        return request
    }
}
