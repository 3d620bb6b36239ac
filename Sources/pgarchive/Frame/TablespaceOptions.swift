import ArgumentParser

/// Directories of tablespaces, where they are not where one would look.
struct TablespaceOptions: ParsableArguments {
    @Option(
        name: [.customLong("tablespace")],
        help: ArgumentHelp(
            "The directory of a tablespace, by the tablespace's oid; may be given several times.",
            valueName: "oid=dir"
        )
    )
    var tablespaces: [String] = []

    func validate() throws { _ = try mapping() }

    func mapping() throws -> [UInt32: String] {
        var mapping: [UInt32: String] = [:]
        for text in tablespaces {
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let oid = UInt32(parts[0]), mapping[oid] == nil else {
                throw ValidationError("'\(text)' is not a tablespace's oid and a directory, such as 16400=/srv/fast")
            }
            mapping[oid] = String(parts[1])
        }
        return mapping
    }
}
