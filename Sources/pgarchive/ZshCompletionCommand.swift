import ArgumentParser

struct ZshCompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zsh-completion",
        abstract: "Print the completion for zsh.",
        discussion: """
            It completes commands, options, the names of containers, snapshots and clones, and targets: events, \
            dropped tables, restore points, each with what it is. 'make install' puts it where zsh finds it by \
            itself; otherwise add the line below to ~/.zshrc, behind compinit.

            EXAMPLES
              source <(pgarchive zsh-completion)

            'pgarchive --generate-completion-script fish' prints that of fish.
            """
    )

    func run() throws {
        try StandardOutput.write(PgArchive.completionScript(for: .zsh) + "\n")
    }
}
