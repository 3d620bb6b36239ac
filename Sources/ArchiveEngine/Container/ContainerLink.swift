import Glibc
import Platform

/// The link by which a container that lies elsewhere is found below the home.
package struct ContainerLink: Sendable {
    private let home: String
    private let place: String
    private let root: String

    package init(locator: ContainerLocator, root: String) {
        self.home = locator.home
        self.place = FilePath.join(locator.home, FilePath.name(of: root))
        self.root = root
    }

    private var isNeeded: Bool { place != root }

    /// Makes the link where the home lets us and the name is free; returns why not, in words.
    package func make() -> String? {
        guard isNeeded else { return nil }
        if FileTree.exists(place) {
            return (try? FileTree.linkTarget(place)) == root ? nil : "there is another '\(place)'"
        }
        do {
            if !FileTree.exists(home) { try FileTree.makeDirectory(home, mode: 0o755) }
            try FileTree.makeLink(place, to: root)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Removes the link when it leads to this container.
    package func remove() {
        guard isNeeded, (try? FileTree.linkTarget(place)) == root else { return }
        try? FileTree.removeFile(place)
    }
}
