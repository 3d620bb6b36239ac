import ArgumentParser

struct BashCompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bash-completion",
        abstract: "Output a bash completion snippet for this utility.",
        discussion: """
            Completes commands, options, and the names of containers, snapshots and clones. \
            It may be saved to global or personal profiles, or evaluated directly:

              eval "$(pgarchive bash-completion)"

            'pgarchive --generate-completion-script zsh' (or fish) writes those of other shells.
            """
    )

    func run() throws {
        try StandardOutput.write(PgArchive.completionScript(for: .bash) + "\n")
    }
}
