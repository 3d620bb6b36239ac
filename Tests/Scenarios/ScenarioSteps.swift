import ArchiveTesting
import Foundation
import Testing

extension TestArchive {
    /// Takes a snapshot, and returns its name and where its clones become consistent.
    func takeSnapshot() throws -> (name: String, consistent: UInt64) {
        let record = try pgarchive.json("snapshot", "create")
        guard let name = record.find("name")?.string,
            let text = record.find("consistent")?.string, let position = TransactionLog.position(text)
        else { throw TestFailure("snapshot create said \(record)") }
        return (name, position)
    }

    func query(_ clone: String, _ text: String) throws -> String {
        try pgarchive("clone", "psql", clone, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text).text
    }

    func discard(_ clone: String) throws {
        try pgarchive("clone", "stop", clone, "-m", "immediate")
        try pgarchive("clone", "delete", clone)
    }

    /// The end of a scenario: every invariant, then a purge that leaves nothing.
    func finish() throws {
        for sentence in try problemsAtTheEnd() { Issue.record("\(sentence)") }
    }

    func problemsAtTheEnd() throws -> [String] {
        var problems = try InvariantsChecker(self).violations()
        try pgarchive("clone", "stop", "--all", "-m", "immediate")
        try pgarchive("container", "stop")
        try pgarchive("container", "purge", "--force")
        problems += try InvariantsChecker(self).leftovers()
        problems += try upstream.verifyUntouched()
        return problems
    }

    /// The receiver's acknowledged position, as it says itself.
    func durable() throws -> UInt64 {
        let text = try String(contentsOfFile: "\(path)/run/receiver.json", encoding: .utf8)
        guard let position = JSONValue(text)?["durable"]?.string.flatMap(TransactionLog.position) else {
            throw TestFailure("no position in \(text)")
        }
        return position
    }

    /// The processes of this container.
    func processes(_ matches: (SeenProcess) -> Bool) -> [SeenProcess] {
        ProcessTable.living(in: path).filter(matches)
    }

    /// The supervisor itself, without what starts it again.
    var supervisors: [SeenProcess] {
        processes { $0.isOurProgram && $0.arguments.starts(with: ["container", "run"], after: 1) && !$0.startsAgain }
    }

    /// What starts a supervisor again when it died.
    var guardians: [SeenProcess] { processes { $0.isOurProgram && $0.startsAgain } }

    var receivers: [SeenProcess] {
        processes { $0.isOurProgram && $0.arguments.starts(with: ["wal_archive", "receive"], after: 1) }
    }

    /// The standby's postmaster, by its own pid file.
    var standbyPostmaster: SeenProcess? { postmaster(of: "\(path)/standby/data") }

    func postmaster(of data: String) -> SeenProcess? {
        guard let text = try? String(contentsOfFile: "\(data)/postmaster.pid", encoding: .utf8),
            let pid = text.split(separator: "\n").first.flatMap({ Int32($0) }),
            let process = ProcessTable.process(pid), process.isAlive, process.workingDirectory == data
        else { return nil }
        return process
    }
}

extension SeenProcess {
    var isOurProgram: Bool { arguments.first?.hasSuffix("pgarchive") ?? false }
    var startsAgain: Bool { arguments.contains("--restart") }
}

extension [String] {
    func starts(with words: [String], after count: Int) -> Bool { dropFirst(count).starts(with: words) }
}

/// Checks that a command failed the way a user can do something with.
func expectRefusal(
    _ result: CommandResult,
    status: Int32? = nil,
    mentions: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(result.status != 0, "\(result)", sourceLocation: sourceLocation)
    if let status { #expect(result.status == status, "\(result)", sourceLocation: sourceLocation) }
    #expect(result.error.contains("error: "), "\(result)", sourceLocation: sourceLocation)
    #expect(result.error.contains("hint: "), "\(result)", sourceLocation: sourceLocation)
    if let mentions { #expect(result.error.contains(mentions), "\(result)", sourceLocation: sourceLocation) }
}
