import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// The standby's form as a process: when it waits, when it answers at once.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct StandbyFetchTests {
    private func command(_ copy: ArchiveCopy, _ name: some CustomStringConvertible) throws -> TestCommand {
        var command = TestCommand(
            try BuiltPrograms.pgarchiveWAL(),
            ["fetch", "--archive", copy.path, "--segment-size", "1048576", "--wait"]
                + ["--hold-file", "\(copy.directory.path)/data/hold", name.description, "pg_wal/RECOVERYXLOG"]
        )
        command.workingDirectory = "\(copy.directory.path)/data"
        return command
    }

    private func with(_ body: (ArchiveCopy) throws -> Void) throws {
        try ArchiveCopy.with { copy in
            _ = try copy.directory.subdirectory("data")
            _ = try copy.directory.subdirectory("data/pg_wal")
            try body(copy)
        }
    }

    private func hold(_ copy: ArchiveCopy) -> [String: Any]? {
        FileManager.default.contents(atPath: "\(copy.directory.path)/data/hold")
            .flatMap { try? JSONSerialization.jsonObject(with: $0) as? [String: Any] }
    }

    /// The name of the segment that comes after all others.
    private func next(_ copy: ArchiveCopy, after count: UInt64 = 1) throws -> SegmentName {
        let last = try #require(try copy.archive.list().segments.last?.name)
        let number = try #require(last.number(size: copy.original.size))
        return SegmentName(timeline: last.timeline, number: number + count, size: copy.original.size)
    }

    /// Takes the archive's last segment away; it is the one that comes next then.
    private func takeLast(_ copy: ArchiveCopy) throws -> (name: SegmentName, aside: String) {
        // The last one holds the tablespace; so the two last ones go.
        let segments = try copy.archive.list().segments
        let last = try #require(segments.last?.name)
        unlink(copy.file(last.description))
        let name = try #require(segments.dropLast().last?.name)
        let aside = "\(copy.directory.path)/aside"
        try TestCommand("/bin/mv", [copy.file(name.description), aside]).succeed()
        return (name, aside)
    }

    @Test func answersAtOnceWhatCannotCome() throws {
        try with { copy in
            let old = SegmentName(timeline: TimelineID(9), number: 4, size: copy.original.size)
            for name in ["00000002.history", "00000001.history", try next(copy, after: 2).description, old.description]
            {
                let result = try command(copy, name).run()
                #expect(result.status == 1, "\(result)")
                #expect(result.seconds < 2, "\(result)")
                #expect(result.error.isEmpty)
            }
            #expect(hold(copy) == nil)
        }
    }

    @Test func waitsForTheNextSegmentAndNoLonger() throws {
        try with { copy in
            let result = try command(copy, next(copy)).run()
            #expect(result.status == 1)
            #expect((4.5...8).contains(result.seconds))
            #expect(result.error.isEmpty)
            #expect(hold(copy) == nil)
        }
    }

    @Test func servesTheNextSegmentWhenItComes() throws {
        try with { copy in
            let (name, aside) = try takeLast(copy)
            let waiting = try command(copy, name).start()
            try eventually("it waits") { isWaiting(waiting) }
            var status: Int32?
            let seconds = try measured {
                rename(aside, copy.file(name.description))
                status = try waiting.wait(deadline: 10).status
            }
            #expect(status == 0)
            #expect(seconds < 0.5)
            #expect(copy.fetched == (try copy.original.bytes(of: name)))
        }
    }

    /// In its wait for events, by /proc/PID/wchan or the system call's number: poll is 7 on x86-64, ppoll 73 on ARM.
    private func isWaiting(_ process: TestProcess) -> Bool {
        ProcessTable.all().contains { seen in
            guard seen.pid == process.pid || seen.parent == process.pid,
                let call = try? String(contentsOfFile: "/proc/\(seen.pid)/syscall", encoding: .utf8)
            else { return false }
            return call.hasPrefix("7 ") || call.hasPrefix("73 ")
        }
    }

    @Test func promotionEndsTheWait() throws {
        try with { copy in
            let waiting = try command(copy, next(copy)).start()
            try eventually("it waits") { isWaiting(waiting) }
            var status: Int32?
            let seconds = try measured {
                try SpoiltFile.write("", to: "\(copy.directory.path)/data/promote")
                status = try waiting.wait(deadline: 10).status
            }
            #expect(status == 1)
            #expect(seconds < 1)
            // And whoever asks after that does not begin to wait.
            #expect(try command(copy, next(copy)).run().seconds < 1)
        }
    }

    /// As an immediate shutdown ends it: a server that is gone must not leave processes behind in its directory.
    @Test func anImmediateShutdownEndsTheWaitAtOnce() throws {
        try with { copy in
            let waiting = try command(copy, next(copy)).start()
            try eventually("it waits") { isWaiting(waiting) }
            waiting.signal(SIGQUIT)
            let result = try waiting.wait(deadline: 30)
            #expect(result.status == 128 + SIGQUIT)
            // Not taken for a crash, with a report into the server's log.
            #expect(result.error.isEmpty, "\(result)")
        }
    }

    @Test func aNewTimelineEndsTheWait() throws {
        try with { copy in
            let name = try next(copy)
            let waiting = try command(copy, name).start()
            try eventually("it waits") { isWaiting(waiting) }
            let start = try #require(name.start(size: copy.original.size))
            var status: Int32?
            let seconds = try measured {
                try copy.arrive(TimelineID(2), forkingAt: start.advanced(by: 64))
                status = try waiting.wait(deadline: 10).status
            }
            #expect(status == 1)
            #expect(seconds < 1)
            #expect(try command(copy, "00000002.history").run().status == 0)
        }
    }

    @Test func theParentsSegmentIsNotServedOnceANewTimelineIsKnown() throws {
        try with { copy in
            let record = copy.original.records[3000]
            let name = copy.original.name(of: record.start)
            #expect(try command(copy, name).run().status == 0)
            let before = SegmentName(
                timeline: TimelineID(1),
                number: try #require(name.number(size: copy.original.size)) - 1,
                size: copy.original.size
            )
            try copy.arrive(TimelineID(2), forkingAt: record.start)
            #expect(try command(copy, name).run().status == 1)
            #expect(try command(copy, before).run().status == 0)
        }
    }

    @Test func theEndOfItsServerEndsTheWait() throws {
        try with { copy in
            // The shell stands for PostgreSQL: a session of its own, in which a shell runs the command.
            let fetch = try command(copy, next(copy))
            let line = ([fetch.executable] + fetch.arguments).joined(separator: " ")
            var server = TestCommand("/usr/bin/setsid", ["/bin/sh", "-c", "sh -c '\(line); true'; true"])
            server.workingDirectory = fetch.workingDirectory
            let process = try server.start()
            var waiting: Int32?
            try eventually("it waits") {
                waiting =
                    ProcessTable.living(in: fetch.workingDirectory)
                    .first { $0.arguments.first?.hasSuffix("pgarchive-wal") == true }?.pid
                return waiting != nil
            }
            let pid = try #require(waiting)
            // Only the leader dies, as a postmaster's child that is killed leaves its restore_command behind.
            let seen = try #require(ProcessTable.process(pid))
            let shell = try #require(ProcessTable.process(seen.parent))
            kill(shell.parent, SIGKILL)
            try eventually(within: 2, "the fetch is gone") {
                ProcessTable.process(pid).map { !$0.isAlive } ?? true
            }
            _ = try? process.wait(deadline: 10)
        }
    }

    @Test func aGapIsSaid() throws {
        try with { copy in
            let segments = try copy.archive.list().segments
            let hole = segments[segments.count - 3].name
            unlink(copy.file(hole.description))
            let result = try command(copy, hole).run()
            #expect(result.status == 1)
            #expect(hold(copy)?["kind"] as? String == "missing")
            #expect(hold(copy)?["segment"] as? String == hole.description)
            #expect(result.error.contains(hole.description))
            try TestCommand("/bin/cp", ["\(copy.original.copies)/\(hole)", copy.path]).succeed()
            #expect(try command(copy, hole).run().status == 0)
            #expect(hold(copy) == nil)
        }
    }

    /// The old primary died with segments that it had not archived, and the new one archives what it writes.
    @Test func aGapBeforeATimelinesEndIsSaid() throws {
        try with { copy in
            let names = try copy.archive.list().segments.map(\.name)
            let hole = names[3]
            for name in names[3...] { unlink(copy.file(name.description)) }
            let start = try #require(names[5].start(size: copy.original.size))
            try copy.arrive(TimelineID(2), forkingAt: start.advanced(by: 4096))
            // It may be on its way still: the receiver takes histories first.
            #expect(try command(copy, hole).run().status == 1)
            #expect(hold(copy) == nil)
            let own = SegmentName(timeline: TimelineID(2), containing: start, size: copy.original.size)
            try TestCommand("/bin/cp", ["\(copy.original.copies)/\(names[5])", copy.file("\(own)")]).succeed()
            let result = try command(copy, hole).run()
            #expect(result.status == 1)
            #expect(hold(copy)?["kind"] as? String == "missing")
            #expect(result.error.contains("\(hole) is not in the archive, though timeline 2 goes on"), "\(result)")
            try TestCommand("/bin/cp", ["\(copy.original.copies)/\(hole)", copy.path]).succeed()
            #expect(try command(copy, hole).run().status == 0)
            #expect(hold(copy) == nil)
        }
    }

    @Test func whatWasMissingIsTakenAsSoonAsItIsThere() throws {
        try with { copy in
            let segments = try copy.archive.list().segments
            let hole = segments[segments.count - 3].name
            let aside = "\(copy.directory.path)/aside"
            try TestCommand("/bin/mv", [copy.file(hole.description), aside]).succeed()
            let waiting = try command(copy, hole).start()
            try eventually("it is said") { hold(copy) != nil }
            try eventually("it waits") { isWaiting(waiting) }
            var status: Int32?
            let seconds = try measured {
                rename(aside, copy.file(hole.description))
                status = try waiting.wait(deadline: 10).status
            }
            #expect(status == 1)
            #expect(seconds < 1)
            #expect(try command(copy, hole).run().status == 0)
        }
    }

    @Test func aHoldThatHasPassedIsTakenBackAlsoWhereNothingIsServed() throws {
        try with { copy in
            try SpoiltFile.write("{}", to: "\(copy.directory.path)/data/hold")
            let waiting = try command(copy, next(copy)).start()
            try eventually("nothing is held") {
                !FileManager.default.fileExists(atPath: "\(copy.directory.path)/data/hold")
            }
            #expect(try waiting.wait(deadline: 10).status == 1)
        }
    }

    @Test func aTimelineThatCannotBeReachedIsSaidSlowly() throws {
        try with { copy in
            let name = try next(copy)
            let start = try #require(name.start(size: copy.original.size))
            try copy.arrive(TimelineID(3), forkingAt: start.advanced(by: 64))
            let result = try command(copy, name).run()
            #expect(result.status == 1)
            #expect(result.seconds > 4.5)
            #expect((hold(copy)?["text"] as? String)?.contains("00000002.history") == true)
            // What completes the path ends the wait.
            let waiting = try command(copy, name).start()
            try eventually("it waits") { isWaiting(waiting) }
            let seconds = try measured {
                try copy.arrive(TimelineID(2), forkingAt: start.advanced(by: 64))
                _ = try waiting.wait(deadline: 10)
            }
            #expect(seconds < 1)
            #expect(try command(copy, name).run().seconds < 2)
        }
    }

    @Test func aHoldFileThatCannotBeWrittenDoesNotServeAgainAndAgain() throws {
        try with { copy in
            let name = copy.original.name(of: copy.original.tablespace.start)
            var request = copy.request(name)
            request.waits = true
            request.holdFile = "\(copy.directory.path)/nowhere/hold"
            #expect(copy.fetch(request).outcome == .served)
            #expect(rename(copy.target, "\(copy.directory.path)/data/pg_wal/\(name)") == 0)
            let (outcome, said) = copy.fetch(request)
            #expect(outcome.exitStatus == 1)
            #expect(said.first?.contains("tablespace") == true)
        }
    }

    @Test func anArchiveThatIsNotThereIsSaid() throws {
        try with { copy in
            let name = try next(copy)
            try TestCommand("/bin/mv", [copy.path, copy.path + "-away"]).succeed()
            let result = try command(copy, name).run()
            #expect(result.status == 1)
            #expect(hold(copy)?["kind"] as? String == "system")
            #expect((hold(copy)?["text"] as? String)?.contains(copy.path) == true)
        }
    }

    @Test func aTablespaceIsServedUpToItsRecordAndThenHeld() throws {
        try with { copy in
            let name = copy.original.name(of: copy.original.tablespace.start)
            let first = try command(copy, name).run()
            #expect(first.status == 0)
            #expect(first.error.contains("tablespace"))
            let kept = Int(copy.original.tablespace.start.rawValue & 0xF_FFFF)
            var expected = try copy.original.bytes(of: name)
            expected.resetBytes(in: kept...)
            #expect(copy.fetched == expected)
            #expect(hold(copy)?["lsn"] as? String == copy.original.tablespace.start.description)
            // PostgreSQL keeps it under its own name, and is refused from then on, slowly.
            #expect(rename(copy.target, "\(copy.directory.path)/data/pg_wal/\(name)") == 0)
            let second = try command(copy, name).run()
            #expect(second.status == 1)
            #expect(second.seconds > 4.5)
        }
    }
}
