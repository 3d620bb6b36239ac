import Platform

/// What one reading of a directory found whose entries each have a record: the snapshots or the clones.
package struct RecordListing<Record: Decodable & Sendable>: Sendable {
    package var records: [Record] = []
    /// Entries whose record cannot be read, and why; they may need anything.
    package var damaged: [Damaged] = []
    /// Entries that certainly have no record: half-made, or half-removed.
    package var recordless: [String] = []

    package struct Damaged: Sendable {
        package var name: String
        package var problem: String
        /// It was read, and is no record.
        package var isTorn: Bool
    }

    init(_ directory: String, record: (_ name: String) -> String) throws {
        guard try FileTree.kind(directory) != nil else { return }
        for name in try FileTree.list(directory) {
            do {
                if let found = try JSONFile.read(Record.self, from: record(name)) {
                    records.append(found)
                } else {
                    recordless.append(name)
                }
            } catch {
                damaged.append(Damaged(name: name, problem: "\(error)", isTorn: !(error is SystemError)))
            }
        }
    }
}
