struct ArgumentError: Error {
    let text: String
}

/// The arguments of a command: options as `--name value` or `--name=value`, flags, and names, in any order.
struct Arguments {
    private(set) var values: [String: String] = [:]
    private(set) var flags: Set<String> = []
    private(set) var names: [String] = []

    init(
        _ arguments: [String],
        of command: String,
        options: Set<String>,
        flags known: Set<String> = []
    ) throws(ArgumentError) {
        var rest = arguments[...]
        var onlyNames = false
        while let argument = rest.popFirst() {
            if onlyNames || !argument.hasPrefix("-") {
                names.append(argument)
            } else if argument == "--" {
                onlyNames = true
            } else if known.contains(argument) {
                flags.insert(argument)
            } else {
                let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let name = String(parts.first ?? "")
                guard options.contains(name) else { throw ArgumentError(text: "\(command) has no option '\(name)'") }
                guard values[name] == nil else { throw ArgumentError(text: "\(name) is given twice") }
                guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
                    throw ArgumentError(text: "\(name) needs a value")
                }
                values[name] = value
            }
        }
    }

    /// An option's value; nil when it is not given.
    func value<Value>(
        _ name: String,
        _ expected: String,
        _ read: (String) -> Value?
    ) throws(ArgumentError) -> Value? {
        guard let text = values[name] else { return nil }
        guard let value = read(text) else { throw ArgumentError(text: "\(name) '\(text)' is not \(expected)") }
        return value
    }
}
