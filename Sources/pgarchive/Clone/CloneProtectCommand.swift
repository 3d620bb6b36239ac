import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CloneProtectCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "protect",
        abstract: "Keep a clone from being stopped, reset or deleted.",
        discussion: """
            Neither its expiry nor its idleness does anything to it, and 'clone delete' and 'clone reset' refuse, \
            until 'clone unprotect'.

            EXAMPLES
              pgarchive clone protect rehearsal

            SEE ALSO
              clone unprotect, clone alter, clone list
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let record = try CloneAlter(container).protect(name: name, true)
        try render.done(CloneResult(clone: record), "clone '\(name)' is protected")
    }
}

struct CloneUnprotectCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "unprotect",
        abstract: "Take back a clone's protection.",
        discussion: """
            From then on its expiry counts again, and it can be deleted. A time that is over gives way to the \
            usual one (clone.expire_after).

            EXAMPLES
              pgarchive clone unprotect rehearsal

            SEE ALSO
              clone protect
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let record = try CloneAlter(container).protect(name: name, false)
        let end = record.expiresAt.map { "; its time is over at \(HumanText.instantSeconds($0))" } ?? ""
        try render.done(CloneResult(clone: record), "clone '\(name)' is no longer protected\(end)")
    }
}

struct CloneAlterCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "alter",
        abstract: "Change a clone's expiry, owner or note.",
        discussion: """
            The time of --expire counts from now. An empty --owner or --note takes it away.

            EXAMPLES
              pgarchive clone alter rehearsal --expire 2d
              pgarchive clone alter rehearsal --expire never --note 'kept for the audit'

            SEE ALSO
              clone protect, clone expire, clone list
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var terms: CloneTermsOptions

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard terms.areGiven else { throw ValidationError("say what to change: --expire, --owner or --note") }
    }

    func run(in container: Container) throws {
        let record = try CloneAlter(container).run(name: name, change: terms.change())
        let end = record.expiresAt.map { "its time is over at \(HumanText.instantSeconds($0))" } ?? "it does not expire"
        try render.done(CloneResult(clone: record), "clone '\(name)' changed: \(end)")
    }
}
