import Testing

/// The rules find what they are for, and only that.
@Suite struct RuleTests {
    private static let layers = SourceFile(
        path: ImportTable.page,
        text: """
            | target | is | imports |
            |---|---|---|
            | `CZstd`, `CBtrfs` | libraries | - |
            | `WALFormat`, `ArchiveModel` | values | CCRC32C |
            | `Platform` | system calls | Glibc |
            | `WALStore` | the archive | WALFormat, Platform, Glibc |
            | `ArchiveEngine` | verbs | WALStore |
            | `pgarchive` | commands | ArchiveEngine |
            | `pgarchive-wal` | restore_command | WALStore |
            """
    )

    private func findings(_ path: String, _ text: String) -> [String] {
        Tidy.findings(in: SourceTree(files: [Self.layers, SourceFile(path: path, text: text)])).map(\.what)
    }

    @Test(arguments: [
        ("Sources/Platform/Files/A.swift", "let pid = fork()"),
        ("Sources/WALStore/A.swift", "let x = try! load()"),
        ("Sources/WALStore/A.swift", "let x = y as! Int"),
        ("Sources/ArchiveEngine/A.swift", "print(1)"),
        ("Sources/ArchiveEngine/A.swift", "exit(1)"),
        ("Sources/ArchiveEngine/A.swift", "await x()"),
        ("Sources/ArchiveEngine/A.swift", "FileManager.default.remove(1)"),
        ("Tests/WALStoreTests/A.swift", "sleep(1)"),
        ("Sources/WALFormat/A.swift", "import Glibc"),
        ("Sources/ArchiveModel/A.swift", "package import Foundation"),
        ("Sources/Platform/A.swift", "import struct Foundation.Date"),
        ("Sources/pgarchive-wal/main.swift", "import ArchiveEngine"),
        ("Sources/CZstd/A.swift", "import Glibc"),
        ("Sources/Unknown/A.swift", ""),
        ("Sources/Unknown/A.swift", "import Foundation"),
        ("Sources/stray.swift", ""),
        ("Sources/Platform/FileUtils.swift", ""),
        ("Sources/Platform/Helpers/A.swift", ""),
        ("docs/a.md", "see [b](b.md)"),
        ("docs/a.md", "# Title\n\nsee [here](#other)"),
        ("docs/a.md", "see [out](../../b.md)"),
        ("scripts/a", "echo no interpreter"),
        ("docs/a.md", "one\n\("<<<<" + "<<<") HEAD\nother"),
    ])
    func found(path: String, text: String) {
        #expect(findings(path, text).count == 1)
    }

    @Test(arguments: [
        ("Sources/Platform/Files/A.swift", "// not fork() but vfork(), and never try!"),
        ("Sources/Platform/Files/A.swift", "pgarchive_vfork()\n_exit(1)"),
        ("Sources/pgarchive/Render.swift", "print(1)"),
        ("Sources/ArchiveEngine/A.swift", "let text = \"print(1) // await\""),
        ("Sources/ArchiveEngine/A.swift", "let text = \"\"\"\n    print(1) \"quoted\" try!\n    \"\"\""),
        ("Sources/ArchiveEngine/A.swift", "/* fork( /* nested */ try! */ let a = 1"),
        ("Sources/ArchiveEngine/A.swift", "let text = #\"a \"print(1)\" b\"#"),
        ("Sources/ArchiveEngine/A.swift", "let asyncronous = blueprint(1)"),
        ("Sources/WALStore/A.swift", "package import WALFormat\nimport Platform\nimport Glibc"),
        ("docs/a.md", "# A long title, here\n\n[up](#a-long-title-here) [web](https://postgresql.org/x)"),
        ("docs/a.md", "```\n[x](nowhere.md)\n```"),
    ])
    func leftAlone(path: String, text: String) {
        #expect(findings(path, text) == [])
    }

    @Test func codeInsideInterpolationIsCode() {
        #expect(findings("Sources/WALStore/A.swift", "let a = \"x \\(try! b(\"y\")) z\"").count == 1)
    }

    @Test func longFunctionsLinesAndFilesAreFound() {
        let body = Array(repeating: "    work()", count: 80).joined(separator: "\n")
        #expect(
            findings("Sources/WALStore/A.swift", "func long() {\n\(body)\n}") == ["a function of 82 lines; at most 70"]
        )
        #expect(findings("Sources/WALStore/A.swift", "struct A {\n\(body)\n}") == [])
        #expect(findings("Sources/WALStore/A.swift", String(repeating: "x", count: 121)).count == 1)
        #expect(findings("Sources/WALStore/A.swift", String(repeating: "x\n", count: 501)).count == 1)
    }

    @Test func oneNameInTwoTargetsIsFound() {
        let files = ["Sources/WALStore/A.swift", "Sources/Platform/A.swift"].map { SourceFile(path: $0, text: "") }
        #expect(Tidy.findings(in: SourceTree(files: files + [Self.layers])).count == 1)
    }

    @Test func aFaultPointThatNoTestPassesIsFound() {
        let source = SourceFile(path: "Sources/WALStore/A.swift", text: "try FaultPoint.pass(\"a.b\")")
        func findings(_ test: String) -> [String] {
            let test = SourceFile(path: "Tests/WALStoreTests/ATests.swift", text: test)
            return FaultNames.findings(in: SourceTree(files: [source, test])).map(\.path)
        }
        #expect(findings("let points = [\"a.b\", \"a.bc\"]") == [])
        #expect(findings("\"x=exit,a.b=exit@2\"") == [])
        #expect(findings("[\"a.bc\", \"x.a.b\", \"aa.b\"]") == ["Sources/WALStore/A.swift"])
    }

    @Test func aMissingTableOfLayersIsFound() {
        let file = SourceFile(path: "Sources/WALStore/A.swift", text: "import Foundation")
        #expect(ImportTable.findings(in: SourceTree(files: [file])).map(\.path) == [ImportTable.page])
        let prose = SourceFile(path: ImportTable.page, text: "no table here")
        #expect(ImportTable.findings(in: SourceTree(files: [file, prose])).map(\.path) == [ImportTable.page])
    }

    @Test func exitCodeTableIsCompared() {
        let source = "case failed = 1\ncase usage = 2\ncase .failed: \"failed\"\ncase .usage: \"wrong, badly\""
        func findings(_ page: String) -> Int {
            let files = [
                SourceFile(path: ExitCodes.source, text: source), SourceFile(path: ExitCodes.page, text: page),
            ]
            return ExitCodes.findings(in: SourceTree(files: files)).count
        }
        #expect(findings("| code | meaning |\n|---|---|\n| 0 | done |\n| 1 | failed |\n| 2 | wrong, badly |") == 0)
        #expect(findings("| 1 | failed |\n| 2 | wrong |") == 1)
        #expect(findings("| 1 | failed |") == 1)
        #expect(findings("| 1 | failed |\n| 2 | wrong, badly |\n| 3 | what |") == 1)
    }

    @Test func settingsPageIsCompared() {
        let source = SourceFile(
            path: Manuals.settingsSource,
            text: "    (\"keep.minimum\", .number(1), \"a\"),\n    (\"slot\", .text(2), \"b\"),"
        )
        func findings(_ page: String) -> [String] {
            let page = SourceFile(path: Manuals.settingsPage, text: page)
            return Manuals.findings(in: SourceTree(files: [source, page])).map(\.what)
        }
        #expect(
            findings("| key | default |\n|---|---|\n| `slot` | x |\n| `keep.minimum` | 2 |\n| `PGARCHIVE` | x |") == []
        )
        #expect(findings("| `slot` | x |") == ["does not name the setting 'keep.minimum'"])
        #expect(findings("| `slot` | |\n| `keep.minimum` | |\n| `keep.all` | |").count == 1)
    }

    @Test func commandsPageIsCompared() {
        let sources = ["start", "stop"].map {
            SourceFile(path: "Sources/pgarchive/Clone/\($0).swift", text: "commandName: \"\($0)\",")
        }
        func findings(_ page: String) -> [String] {
            let page = SourceFile(path: Manuals.commandsPage, text: page)
            return Manuals.findings(in: SourceTree(files: sources + [page])).map(\.what)
        }
        #expect(findings("| noun | verb |\n|---|---|\n| `clone` | `start NAME`, `stop [--all]` | text |") == [])
        #expect(findings("| `clone` | `start` |\n| | `stop` |") == [])
        #expect(findings("| `clone` | `start` | |") == ["does not name the command 'clone stop'"])
        #expect(findings("| `clone` | `start`, `stop`, `fly` | |").count == 1)
    }
}
