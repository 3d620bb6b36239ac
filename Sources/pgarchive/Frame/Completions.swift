import ArchiveEngine
import ArchiveModel
import Platform

/// Names for the shell's completion: of what is on disk, silent about what cannot be read.
enum Completions {
    static func containers() -> [String] {
        ((try? ContainerLocator(environment: Handover.environment).list()) ?? []).map(\.name)
    }

    static func snapshots(_ words: [String]) -> [String] {
        container(words).flatMap { try? SnapshotCatalog($0).all().map(\.name) } ?? []
    }

    static func clones(_ words: [String]) -> [String] {
        container(words).flatMap { try? CloneCatalog($0).listed().map(\.name) } ?? []
    }

    /// The container that the words typed so far mean.
    private static func container(_ words: [String]) -> Container? {
        try? ContainerLocator(environment: Handover.environment).open(GlobalOptions.selector(in: words))
    }
}
