import WALFormat
import WALStore

/// Reads the arguments of `push`.
enum PushArguments {
    private static let options: Set<String> = ["--archive", "--to", "--segment-size", "--system-identifier"]

    static func parse(_ arguments: [String]) throws(ArgumentError) -> PushRequest {
        let parsed = try Arguments(arguments, of: "push", options: options)
        guard let source = parsed.names.first, parsed.names.count == 1 else {
            throw ArgumentError(text: "push needs one name, %p, and got \(parsed.names.count)")
        }
        let archive = parsed.values["--archive"]
        let plain = parsed.values["--to"]
        guard let directory = archive ?? plain, !directory.isEmpty, archive == nil || plain == nil else {
            throw ArgumentError(text: "push needs either --to DIR or --archive DIR")
        }
        let identifier = try parsed.value("--system-identifier", "a number") { UInt64($0) }
        guard archive == nil || identifier != nil else {
            throw ArgumentError(text: "--archive needs --system-identifier: whose archive it is")
        }
        return PushRequest(
            archive: directory,
            systemIdentifier: identifier,
            requiresMark: archive != nil,
            segmentSize: try parsed.value("--segment-size", "a power of two from 1 MB to 1 GB, in bytes") {
                UInt64($0).flatMap { SegmentSize(bytes: $0) }
            },
            source: source
        )
    }
}
