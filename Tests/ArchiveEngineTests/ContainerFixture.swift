import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Platform
import WALFormat

/// A container that has only its identity and settings.
enum ContainerFixture {
    static func container(in directory: TestDirectory) throws -> Container {
        let paths = ContainerPaths(root: directory.path)
        let identity = ContainerIdentity(
            name: "main",
            systemIdentifier: 1,
            major: 15,
            segmentBytes: 1 << 20,
            driver: .copy,
            owner: "postgres",
            superuser: "postgres",
            createdAt: PostgresTime(rawValue: 0)
        )
        try FileTree.makeDirectory(paths.run, mode: 0o700)
        try JSONFile.replace(paths.identity, with: identity)
        try DurableFile.replace(paths.settings, text: SettingsFile.text(Settings()))
        return try Container.open(directory.path)
    }
}
