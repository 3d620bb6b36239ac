import ArchiveEngine
import ArgumentParser

struct CloneDuplicateCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "duplicate",
        abstract: "Copy a clone as it is now, under a new name.",
        discussion: """
            For trying the same thing twice. The duplicate has a port of its own and is not started; the source is \
            not touched. A source that is running can be copied on btrfs only, and the duplicate then does crash \
            recovery when it first starts. It is not protected, and has the source's expiry, owner and note where no \
            others are given; an expiry that is over gives way to the usual one.

            EXAMPLES
              pgarchive clone duplicate test test-2

            EXIT CODES
              4  the source is running or recovering: stop it first
              5  interrupted: nothing is left
              7  the name is taken, or another command is at work on the source

            SEE ALSO
              clone start, clone create
            """
    )

    @Argument(help: "The clone to copy.", completion: .custom { words, _, _ in Completions.clones(words) })
    var source: String

    @Argument(help: "The new clone's name.")
    var target: String

    @OptionGroup var terms: CloneTermsOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let interruption = try Interruption()
        let change = try terms.change()
        let record = try global.withProgress { progress in
            try CloneCreate(container, progress: progress, interruption: interruption)
                .duplicate(source: source, name: target, change: change)
        }
        let result = CloneResult(clone: record)
        try render.done(result, result.sentence(verb: "duplicated from '\(source)'"))
    }
}
