import ArchiveTesting
import Glibc
import Platform
import Testing

@Suite(.keepsEvidence)
struct FileTreeTests {
    @Test func readsWithALimit() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/file"
            try DurableFile.replace(path, bytes: [UInt8](repeating: 7, count: 200_000))
            #expect(try FileTree.read(path).count == 200_000)
            let failure = #expect(throws: SystemError.self) { try FileTree.read(path, limit: 199_999) }
            #expect(failure?.errno == EFBIG)
            #expect(try FileTree.readText("/proc/self/stat").isEmpty == false)
        }
    }

    @Test func listsSortedAndTellsKinds() throws {
        try TestDirectory.with { directory in
            let path = directory.path
            for name in ["b", "a", "ä"] { try DurableFile.replace("\(path)/\(name)", text: name) }
            try FileTree.makeDirectory("\(path)/c/d/e", parents: true)
            try FileTree.makeDirectory("\(path)/c/d/e", parents: true)
            try FileTree.makeLink("\(path)/dangling", to: "nowhere")
            #expect(try FileTree.list(path) == ["a", "b", "c", "dangling", "ä"])
            #expect(try FileTree.kind("\(path)/a") == .regular)
            #expect(try FileTree.kind("\(path)/c") == .directory)
            #expect(try FileTree.kind("\(path)/dangling") == .symbolicLink)
            #expect(try FileTree.kind("\(path)/none") == nil)
            #expect(try FileTree.kind("\(path)/a/below-a-file") == nil)
            #expect(FileTree.exists("\(path)/dangling"))
            #expect(!FileTree.isDirectory("\(path)/dangling"))
            #expect(try FileTree.linkTarget("\(path)/dangling") == "nowhere")
            #expect(try FileTree.resolved("\(path)/c/../c/d") == FileTree.resolved(path) + "/c/d")
        }
    }

    @Test func makingADirectoryOverAFileFails() throws {
        try TestDirectory.with { directory in
            try DurableFile.replace("\(directory.path)/file", text: "")
            let failure = #expect(throws: SystemError.self) {
                try FileTree.makeDirectory("\(directory.path)/file", parents: true)
            }
            #expect(failure?.errno == EEXIST)
        }
    }

    @Test func removesTreesWithoutFollowingLinks() throws {
        try TestDirectory.with { directory in
            let outside = try directory.subdirectory("outside")
            try DurableFile.replace("\(outside)/precious", text: "stay")
            let tree = "\(directory.path)/tree"
            try FileTree.makeDirectory("\(tree)/deep/er", parents: true)
            try FileTree.makeLink("\(tree)/link", to: outside)
            try FileTree.makeLink("\(tree)/deep/er/link", to: "../../../outside")
            try DurableFile.replace("\(tree)/deep/file", text: "x")
            try FileTree.removeTree(tree)
            try FileTree.removeTree(tree)
            #expect(!FileTree.exists(tree))
            #expect(try FileTree.readText("\(outside)/precious") == "stay")
        }
    }

    @Test func aLinkToATreeIsRemovedAndTheTreeStays() throws {
        try TestDirectory.with { directory in
            let outside = try directory.subdirectory("outside")
            try DurableFile.replace("\(outside)/precious", text: "stay")
            try FileTree.makeLink("\(directory.path)/link", to: outside)
            #expect(throws: SystemError.self) { try FileTree.emptyDirectory("\(directory.path)/link") }
            try FileTree.removeTree("\(directory.path)/link")
            #expect(FileTree.exists("\(outside)/precious"))
        }
    }

    @Test func emptyingKeepsTheDirectory() throws {
        try TestDirectory.with { directory in
            let tree = try directory.subdirectory("tree", mode: 0o750)
            try FileTree.makeDirectory("\(tree)/a/b", parents: true)
            try FileTree.emptyDirectory(tree)
            #expect(try FileTree.list(tree) == [])
            #expect(try FileTree.status(tree).mode == 0o750)
        }
    }

    @Test func countsSpaceOnDiskAndNotHoles() throws {
        try TestDirectory.with { directory in
            let tree = try directory.subdirectory("tree")
            let file = try Descriptor.open("\(tree)/sparse", O_RDWR | O_CREAT)
            try file.truncate(to: 100 << 20)
            try file.writeAll([UInt8](repeating: 1, count: 1 << 20), at: 50 << 20)
            try file.sync()
            let count = try FileTree.byteCount(of: tree)
            #expect(count >= 1 << 20 && count < 3 << 20)
        }
    }

    @Test(.enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
    func removalStopsAtAMount() throws {
        try TestDirectory.with { directory in
            let tree = try directory.subdirectory("tree")
            let inside = try directory.subdirectory("tree/inside")
            try SystemTool.run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", inside])
            defer { _ = try? SystemTool.run("umount", [inside]) }
            try DurableFile.replace("\(inside)/precious", text: "stay")
            let failure = #expect(throws: SystemError.self) { try FileTree.removeTree(tree) }
            #expect(failure?.errno == EXDEV)
            #expect(try FileTree.readText("\(inside)/precious") == "stay")
        }
    }

    @Test(arguments: [
        ("/a/b", "/a", "b"), ("/a", "/", "a"), ("a", ".", "a"), ("/a/b//", "/a", "b"), ("/a//b", "/a", "b"),
        ("/", "/", "/"), ("a/b", "a", "b"),
    ])
    func pathsAsText(path: String, parent: String, name: String) {
        #expect(FilePath.parent(of: path) == parent)
        #expect(FilePath.name(of: path) == name)
    }
}
