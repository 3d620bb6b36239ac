import ArchiveTesting
import Glibc
import Platform
import Testing

@Suite(.keepsEvidence)
struct FileWatchTests {
    @Test func aNewNameWakesTheWaiter() throws {
        try TestDirectory.with { directory in
            let watch = try FileWatch()
            let place = directory.path
            try watch.add(place, .anyName)
            #expect(try watch.read() == [])
            let thread = try OwnedThread.start(name: "writer") {
                try? DurableFile.replace("\(place)/00000002.history", text: "1\t0/5000000\n")
            }
            var seen: [FileEvent] = []
            while !seen.contains(where: { $0.name == "00000002.history" && $0.events.contains(.movedTo) }) {
                guard try watch.wait(timeoutMilliseconds: 20_000) else { break }
                seen += try watch.read()
            }
            thread.join()
            #expect(seen.contains { $0.name == "00000002.history" && $0.events.contains(.movedTo) })
            #expect(seen.allSatisfy { $0.watchedPath == place })
        }
    }

    @Test func theEndOfAWatchedDirectoryIsReported() throws {
        try TestDirectory.with { directory in
            let place = try directory.subdirectory("place")
            let watch = try FileWatch()
            try watch.add(place, .anyName)
            try FileTree.removeTree(place)
            #expect(try watch.wait(timeoutMilliseconds: 20_000))
            #expect(try watch.read().contains { $0.events.contains(.gone) && $0.watchedPath == place })
            let failure = #expect(throws: SystemError.self) { try watch.add(place, .anyName) }
            #expect(failure?.isNotFound == true)
        }
    }

    @Test func aRemovedWatchIsQuiet() throws {
        try TestDirectory.with { directory in
            let watch = try FileWatch()
            try watch.add(directory.path, .anyName)
            watch.remove(directory.path)
            _ = try watch.read()
            try DurableFile.replace("\(directory.path)/file", text: "")
            #expect(try watch.read() == [])
        }
    }

    @Test func manyEventsAreAllRead() throws {
        try TestDirectory.with { directory in
            let watch = try FileWatch()
            try watch.add(directory.path, .created)
            for number in 0..<2000 {
                _ = try Descriptor.open("\(directory.path)/some-longer-name-\(number)", O_CREAT | O_WRONLY).raw
            }
            #expect(try Set(watch.read().compactMap(\.name)).count == 2000)
        }
    }
}
