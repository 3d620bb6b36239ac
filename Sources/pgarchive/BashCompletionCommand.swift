import ArgumentParser

struct BashCompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bash-completion",
        abstract: "Print the completion for bash.",
        discussion: """
            It completes commands, options, and the names of containers, snapshots and clones. 'make install' puts \
            it where bash finds it by itself; otherwise add the line below to ~/.bashrc.

            EXAMPLES
              eval "$(pgarchive bash-completion)"

            'pgarchive --generate-completion-script zsh' (or fish) prints those of other shells.
            """
    )

    func run() throws {
        try StandardOutput.write(PgArchive.completionScript(for: .bash) + "\n")
    }
}
