import ArchiveEngine
import ArgumentParser

struct CloneDuplicateCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "duplicate",
        abstract: "Duplicate an existing clone instance.",
        discussion: """
            The duplicate is a copy of the clone as it is now, with a port of its own; the source is not touched. If \
            the source is running, the duplicate does crash recovery once started. It is not started.

            EXAMPLE
              pgarchive clone duplicate test test-2

            SEE ALSO
              clone create, clone start
            """
    )

    @Argument(help: "The clone to copy.", completion: .custom { words, _, _ in Completions.clones(words) })
    var source: String

    @Argument(help: "The new clone's name.")
    var target: String

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let record = try global.withProgress { progress in
            try CloneCreate(container, progress: progress).duplicate(source: source, name: target)
        }
        let result = CloneResult(clone: record)
        try render.done(result, result.sentence(verb: "duplicated from '\(source)'"))
    }
}
