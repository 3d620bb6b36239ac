import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform
import WALFormat
import WALStore

/// Names for the shell's completion: of what is on disk, silent about what cannot be read.
enum Completions {
    static func containers() -> [String] {
        ((try? ContainerLocator(environment: Handover.environment).list()) ?? []).map(\.name)
    }

    static func snapshots(_ words: [String]) -> [String] {
        container(words).flatMap { try? SnapshotCatalog($0).all().map(\.name) } ?? []
    }

    /// What clones can be made of: snapshots and branch points.
    static func origins(_ words: [String]) -> [String] {
        let branches = container(words).flatMap { try? CloneCatalog($0).listed().filter(\.isBranch).map(\.name) } ?? []
        return snapshots(words) + branches
    }

    static func clones(_ words: [String]) -> [String] {
        container(words).flatMap { try? CloneCatalog($0).listed().filter { !$0.isLook }.map(\.name) } ?? []
    }

    /// Of what people want the state before of; zsh shows what each is.
    static func events(
        _ words: [String],
        _ kinds: Set<String> = [
            "drop", "truncate", "mass-delete", "mass-update", "rewrite", "database-drop", "restore-point",
        ]
    ) -> [String] {
        known(words, kinds).map { named in
            let row = EventRow(named)
            let time = row.time.map { " at \(HumanText.instantSeconds($0))" } ?? ""
            return described("\(row.id)", "\(row.kind) \(row.what)\(time)")
        }
    }

    /// Of what can be undone.
    static func mistakes(_ words: [String]) -> [String] { events(words, Set(UndoKind.allCases.map(\.event))) }

    /// Tables to which something of these kinds happened.
    static func tables(_ words: [String], _ kinds: Set<String>) -> [String] {
        var seen: Set<String> = []
        return known(words, kinds)
            .flatMap { named in named.objects.map { ($0, named.database) } }
            .filter { seen.insert($0.0).inserted }
            .map { described($0, "in \($1 ?? "an unknown database")") }
    }

    static func tables(_ words: [String], of kind: UndoKind) -> [String] { tables(words, [kind.event]) }

    static func restorePoints(_ words: [String]) -> [String] {
        known(words, ["restore-point"]).compactMap { named in
            guard case .restorePoint(let name) = named.event.kind else { return nil }
            return described(name, named.event.time.map { HumanText.instantSeconds($0) } ?? "")
        }
    }

    static func timelines(_ words: [String]) -> [String] {
        let numbers = container(words).flatMap { try? $0.walDirectory.timelines() } ?? []
        return numbers.sorted().map { "\($0)" } + ["latest", "current"]
    }

    private static let most = 50

    private static func known(_ words: [String], _ kinds: Set<String>) -> [NamedEvent] {
        container(words).flatMap { try? KnownEvents.newest($0, kinds: kinds, limit: most) } ?? []
    }

    /// Only zsh shows a description; it stands behind a colon there.
    private static func described(_ word: String, _ description: String) -> String {
        guard CompletionShell.requesting == .zsh, !description.isEmpty else { return word }
        return word.replacing("\\", with: "\\\\").replacing(":", with: "\\:") + ":" + description
    }

    /// The container that the words typed so far mean.
    private static func container(_ words: [String]) -> Container? {
        try? ContainerLocator(environment: Handover.environment).open(GlobalOptions.selector(in: words))
    }
}
