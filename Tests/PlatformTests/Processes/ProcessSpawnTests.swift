import ArchiveTesting
import Glibc
import Platform
import Synchronization
import Testing

@Suite(.keepsEvidence)
struct ProcessSpawnTests {
    private func shell(_ script: String, _ change: (inout SpawnRequest) -> Void = { _ in }) -> SpawnRequest {
        var request = SpawnRequest(
            executable: "/bin/sh",
            arguments: ["-c", script],
            environment: ["PATH": "/usr/bin:/bin"]
        )
        change(&request)
        return request
    }

    private func text(of pipe: borrowing Descriptor) throws -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let raw = pipe.raw
        let count = bytes.withUnsafeMutableBytes { read(raw, $0.baseAddress, $0.count) }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    @Test func whatCannotBeExecutedIsAnErrorHere() {
        let missing = #expect(throws: SystemError.self) {
            try ProcessSpawn.spawn(SpawnRequest(executable: "/no/such/program"))
        }
        #expect(missing == SystemError(call: "execute", errno: ENOENT, path: "/no/such/program"))
        let data = #expect(throws: SystemError.self) {
            try ProcessSpawn.spawn(SpawnRequest(executable: "/etc/passwd"))
        }
        #expect(data?.errno == EACCES)
        let place = #expect(throws: SystemError.self) {
            try ProcessSpawn.spawn(SpawnRequest(executable: "/bin/true", workingDirectory: "/no/place"))
        }
        #expect(place == SystemError(call: "enter", errno: ENOENT, path: "/no/place"))
    }

    @Test func theEnvironmentIsWhatWasGivenAndNothingElse() throws {
        let result = try ProcessSpawn.run(
            SpawnRequest(executable: "/usr/bin/env", environment: ["B": "two words", "A": "1"])
        )
        #expect(result.outputText == "A=1\nB=two words\n")
    }

    @Test func noDescriptorGoesAlong() throws {
        let open = try Descriptor.open("/dev/null", O_RDONLY)
        let inheritable = fcntl(open.raw, F_DUPFD, 700)
        defer { close(inheritable) }
        let result = try ProcessSpawn.run(shell("ls /proc/self/fd"))
        // 3 is what ls itself opened.
        #expect(result.outputText == "0\n1\n2\n3\n")
    }

    @Test func workingDirectoryUmaskAndSession() throws {
        try TestDirectory.with { directory in
            let result = try ProcessSpawn.run(
                shell("pwd; umask; ps -o pgid= -o sid= -p $$; echo $$") {
                    $0.workingDirectory = directory.path
                    $0.umask = 0o027
                    $0.newSession = true
                }
            )
            let lines = result.outputText.split(separator: "\n").map(String.init)
            try #require(lines.count == 4)
            #expect(lines[0] == (try FileTree.resolved(directory.path)))
            #expect(lines[1] == "0027")
            #expect(lines[2].split(separator: " ") == [lines[3][...], lines[3][...]])
        }
    }

    @Test func signalsAreResetInTheChild() throws {
        try SignalSet.ignore(SIGPIPE)
        let pipe = try Descriptor.pipe()
        let output = pipe.writing.raw
        let thread = try OwnedThread.start(name: "blocked") {
            try? SignalSet.block([SIGTERM, SIGHUP, SIGUSR1])
            let request = SpawnRequest(
                executable: "/bin/grep",
                arguments: ["-E", "^Sig(Blk|Ign)", "/proc/self/status"],
                standardOutput: .descriptor(output)
            )
            _ = try? ProcessSpawn.spawn(request).wait()
        }
        thread.join()
        let seen = try text(of: pipe.reading)
        #expect(seen == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n")
    }

    @Test func filesAsStreamsAreAppendedTo() throws {
        try TestDirectory.with { directory in
            let log = "\(directory.path)/log"
            for word in ["one", "two"] {
                let child = try ProcessSpawn.spawn(
                    shell("echo \(word); echo error >&2") {
                        $0.standardOutput = .file(log)
                        $0.standardError = .file(log)
                    }
                )
                #expect(child.wait() == .exited(0))
            }
            #expect(try FileTree.readText(log) == "one\nerror\ntwo\nerror\n")
            #expect(try FileTree.status(log).mode == 0o600)
        }
    }

    @Test func twoStreamsMayShareADescriptor() throws {
        let pipe = try Descriptor.pipe()
        let output = pipe.writing.raw
        let child = try ProcessSpawn.spawn(
            shell("echo out; echo err >&2") {
                $0.standardOutput = .descriptor(output)
                $0.standardError = .descriptor(output)
            }
        )
        #expect(child.wait() == .exited(0))
        #expect(try text(of: pipe.reading) == "out\nerr\n")
    }

    @Test func standardDescriptorsMayChangePlaces() async {
        await #expect(processExitsWith: .exitCode(33)) {
            let pipe = try Descriptor.pipe()
            // 1 leads to the pipe here, 2 to /dev/null; the child gets them crossed.
            try #require(dup2(pipe.writing.raw, 1) == 1)
            let null = try Descriptor.open("/dev/null", O_RDWR)
            try #require(dup2(null.raw, 2) == 2)
            let request = SpawnRequest(
                executable: "/bin/sh",
                arguments: ["-c", "echo lost; echo kept >&2"],
                standardOutput: .descriptor(2),
                standardError: .descriptor(1)
            )
            _ = try ProcessSpawn.spawn(request).wait()
            try pipe.reading.setNonBlocking(true)
            var bytes = [UInt8](repeating: 0, count: 100)
            let raw = pipe.reading.raw
            let count = bytes.withUnsafeMutableBytes { read(raw, $0.baseAddress, $0.count) }
            let seen = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
            Glibc.exit(seen == "kept\n" ? 33 : 34)
        }
    }

    @Test func howItEnded() throws {
        #expect(try ProcessSpawn.spawn(shell("exit 7")).wait() == .exited(7))
        #expect(try ProcessSpawn.spawn(shell("kill -USR1 $$")).wait() == .signalled(SIGUSR1))
        let sleeper = try ProcessSpawn.spawn(SpawnRequest(executable: "/bin/sleep", arguments: ["100"]))
        #expect(sleeper.poll() == nil)
        #expect(sleeper.wait(timeoutSeconds: 0.05) == nil)
        let identity = try #require(sleeper.identity)
        #expect(identity.isAlive)
        #expect(sleeper.signal(SIGKILL))
        #expect(sleeper.wait() == .signalled(SIGKILL))
        #expect(sleeper.wait() == .signalled(SIGKILL))
        #expect(sleeper.poll() == .signalled(SIGKILL))
        #expect(!sleeper.signal(SIGKILL))
        #expect(!identity.isAlive)
    }

    @Test(.enabled(if: TestEnvironment.isRoot && TestEnvironment.hasOwner, TestEnvironment.noRoot))
    func anotherUserWithAllGroups() throws {
        let user = try #require(try SystemUser.named(TestEnvironment.owner.name))
        let result = try ProcessSpawn.run(
            shell("id -u; id -ru; id -g; id -G; test -r /etc/shadow && echo still root") {
                $0.user = SpawnUser(user)
            }
        )
        let lines = result.outputText.split(separator: "\n").map(String.init)
        try #require(lines.count >= 4)
        #expect(lines[0] == "\(user.uid)")
        #expect(lines[1] == "\(user.uid)")
        #expect(lines[2] == "\(user.gid)")
        #expect(Set(lines[3].split(separator: " ").compactMap { UInt32($0) }) == Set(user.groups))
        // We are still who we were, in all threads.
        #expect(geteuid() == 0)
    }

    @Test(.enabled(if: TestEnvironment.isRoot && TestEnvironment.hasOwner, TestEnvironment.noRoot))
    func theChildDiesWithTheThreadThatStartedIt() throws {
        let user = try #require(try SystemUser.named(TestEnvironment.owner.name))
        let started = try EventDescriptor()
        let end = try EventDescriptor()
        let child = Mutex<SpawnedProcess?>(nil)
        let thread = try OwnedThread.start(name: "parent") {
            var request = SpawnRequest(executable: "/bin/sleep", arguments: ["100"])
            request.parentDeathSignal = SIGTERM
            request.user = SpawnUser(user)
            let spawned = try? ProcessSpawn.spawn(request)
            child.withLock { $0 = spawned }
            started.signal()
            _ = try? Poll.wait(for: end.raw)
        }
        #expect(try Poll.wait(for: started.raw, timeoutMilliseconds: 20_000))
        let running = try #require(child.withLock { $0 })
        #expect(running.poll() == nil)
        end.signal()
        thread.join()
        #expect(running.wait(timeoutSeconds: 20) == .signalled(SIGTERM))
    }
}
