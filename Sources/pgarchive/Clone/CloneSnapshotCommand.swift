import ArchiveEngine
import ArgumentParser

struct CloneSnapshotCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Make a branch point of a clone, from which further clones are made.",
        discussion: """
            A branch point holds what the clone holds now. It never runs, needs no WAL, and stays when the clone is \
            deleted. 'clone create' with its name makes clones of it, and 'clone reset' of such a clone takes it back \
            to there. 'clone list' shows it, and 'clone delete' removes it. A clone that is running can be copied on \
            btrfs only.

            EXAMPLES
              pgarchive clone snapshot masked masked-monday --note 'for the testers'
              pgarchive clone create masked-monday test-1 --start

            EXIT CODES
              4  the clone has not recovered yet, or is running where it cannot be copied
              5  interrupted: nothing is left
              6  no such clone
              7  the name is taken, or another command is at work on the clone

            SEE ALSO
              clone create, clone reset, clone duplicate
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var source: String

    @Argument(help: "The branch point's name.")
    var name: String

    @OptionGroup var terms: CloneTermsOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let interruption = try Interruption()
        let record = try global.withProgress { progress in
            try CloneCreate(container, progress: progress, interruption: interruption)
                .branch(source: source, name: name, terms: terms.terms())
        }
        try render.done(
            CloneResult(clone: record),
            "branch point '\(name)' made of clone '\(source)'; 'pgarchive clone create \(name) NAME' makes clones of it"
        )
    }
}
