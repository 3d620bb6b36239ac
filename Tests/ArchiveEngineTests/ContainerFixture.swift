import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Platform
import WALFormat

/// A container that has only its identity and settings.
enum ContainerFixture {
    static func container(
        in directory: TestDirectory,
        systemIdentifier: UInt64 = 1,
        upstreamReplication: String = "",
        copies: [String] = []
    ) throws -> Container {
        let paths = ContainerPaths(root: directory.path)
        let identity = ContainerIdentity(
            name: "main",
            systemIdentifier: systemIdentifier,
            major: 15,
            segmentBytes: 1 << 20,
            driver: .copy,
            owner: TestEnvironment.owner.name,
            superuser: "postgres",
            createdAt: PostgresTime(rawValue: 0)
        )
        var settings = Settings()
        settings.upstreamReplication = upstreamReplication
        try FileTree.makeDirectory(paths.run, mode: 0o700)
        try JSONFile.replace(paths.identity, with: identity)
        let stanzas = copies.map { "\n[[wal.copy]]\nname = \"\($0)\"\nprogram = \"true\"\ndest = \"\"\n" }
        try DurableFile.replace(paths.settings, text: SettingsFile.text(settings) + stanzas.joined())
        return try Container.open(directory.path)
    }
}
