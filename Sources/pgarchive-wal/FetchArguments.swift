import ArchiveModel
import WALFormat
import WALStore

struct ArgumentError: Error {
    let text: String
}

/// Reads the arguments of `fetch`: options as `--name value` or `--name=value`, in any order with the two names.
enum FetchArguments {
    private static let options: Set<String> = [
        "--archive", "--segment-size", "--path", "--until", "--system-identifier", "--hold-file", "--end-file",
    ]

    static func parse(_ arguments: [String]) throws(ArgumentError) -> FetchRequest {
        var values: [String: String] = [:]
        var positional: [String] = []
        var waits = false
        var isChecked = false
        var rest = arguments[...]
        var onlyNames = false
        while let argument = rest.popFirst() {
            if onlyNames || !argument.hasPrefix("-") {
                positional.append(argument)
            } else if argument == "--" {
                onlyNames = true
            } else if argument == "--wait" {
                waits = true
            } else if argument == "--checked" {
                isChecked = true
            } else {
                let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let name = String(parts.first ?? "")
                guard options.contains(name) else { throw ArgumentError(text: "fetch has no option '\(name)'") }
                guard values[name] == nil else { throw ArgumentError(text: "\(name) is given twice") }
                guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
                    throw ArgumentError(text: "\(name) needs a value")
                }
                values[name] = value
            }
        }
        guard positional.count == 2 else {
            throw ArgumentError(text: "fetch needs two names, %f and %p, and got \(positional.count)")
        }
        guard let archive = values["--archive"], !archive.isEmpty else {
            throw ArgumentError(text: "fetch needs --archive DIR")
        }
        guard !(waits && values["--until"] != nil) else {
            throw ArgumentError(text: "--wait and --until exclude each other: with an end there is nothing to wait for")
        }
        guard !isChecked || values["--until"] != nil else {
            throw ArgumentError(text: "--checked needs --until: up to where the WAL is checked")
        }
        return FetchRequest(
            archive: archive,
            name: positional[0],
            target: positional[1],
            segmentSize: try value(values, "--segment-size", "a power of two from 1 MB to 1 GB, in bytes") {
                UInt64($0).flatMap { SegmentSize(bytes: $0) }
            },
            path: try value(values, "--path", "timelines such as 1@0/5A0,2") { TimelinePath($0) },
            until: try value(values, "--until", "a WAL position such as 0/5A0") { LSN($0) },
            isChecked: isChecked,
            waits: waits,
            systemIdentifier: try value(values, "--system-identifier", "a number") { UInt64($0) },
            holdFile: values["--hold-file"],
            endFile: values["--end-file"]
        )
    }

    private static func value<Value>(
        _ values: [String: String],
        _ name: String,
        _ expected: String,
        _ read: (String) -> Value?
    ) throws(ArgumentError) -> Value? {
        guard let text = values[name] else { return nil }
        guard let value = read(text) else { throw ArgumentError(text: "\(name) '\(text)' is not \(expected)") }
        return value
    }
}
