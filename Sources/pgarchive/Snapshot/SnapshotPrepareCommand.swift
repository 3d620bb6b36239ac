import ArchiveEngine
import ArchiveModel
import ArgumentParser
import WALFormat

struct SnapshotPrepareCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare",
        abstract: "Make clones of a snapshot's own moment ready at once.",
        discussion: """
            Makes an image of the snapshot: a copy that is recovered to the snapshot's moment and shut down as a \
            server of its own. A clone of that moment is then a copy of the image, and takes writes at once, whatever \
            there was to replay. Other moments are recovered from the snapshot as ever.

            The supervisor does the same for the newest snapshots (the setting snapshot.ready, by default 1), and \
            removes their images when there are newer ones. One that was asked for stays until the snapshot is \
            deleted, or until --discard.

            EXAMPLES
              pgarchive snapshot prepare 20261121-082350
              pgarchive clone create 20261121-082350 test --start

            EXIT CODES
              5  interrupted: nothing is left
              6  no such snapshot
              7  another image is being made

            SEE ALSO
              snapshot list, clone create
            """
    )

    @Argument(
        help: "The snapshot's name.",
        completion: .custom { words, _, _ in Completions.snapshots(words) }
    )
    var name: String

    @Flag(help: "Remove its image.")
    var discard = false

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        _ = try SnapshotCatalog(container).find(name)
        if discard {
            try ReadyImages(container).remove(of: name)
            return try render.done(Outcome(done: "discarded", names: [name]), "snapshot '\(name)' has no image now")
        }
        let begin = monotonicSeconds()
        let interruption = try Interruption()
        let image = try global.withProgress { progress in
            try ReadyImageMake(container, snapshot: name, progress: progress, interruption: interruption)
                .run(isAskedFor: true)
        }
        try render.done(
            image,
            "snapshot '\(name)' is ready after \(HumanText.elapsed(seconds: monotonicSeconds() - begin)), at "
                + "\(image.plan.stop); 'pgarchive clone create \(name) NAME --start' takes a copy of it"
        )
    }
}
