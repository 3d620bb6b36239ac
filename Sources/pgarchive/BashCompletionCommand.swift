import ArgumentParser

struct BashCompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bash-completion",
        abstract: "Print the completion for bash.",
        discussion: """
            It completes commands, options, the names of containers, snapshots and clones, and targets: events, \
            dropped tables, restore points. 'make install' puts it where bash finds it by itself; otherwise add the \
            line below to ~/.bashrc.

            EXAMPLES
              eval "$(pgarchive bash-completion)"

            'pgarchive zsh-completion' is the same for zsh, with what each event was beside it.
            """
    )

    func run() throws {
        try StandardOutput.write(PgArchive.completionScript(for: .bash) + "\n\n" + Self.otherWords + "\n")
    }

    /// Other words for a command, and `help NOUN VERB`, complete as the command itself does.
    private static let otherWords = #"""
        _pgarchive_other_words() {
            local -a words=("${COMP_WORDS[@]:0:COMP_CWORD+1}")
            local -ir is_first="COMP_CWORD == 1"
            if ((COMP_CWORD > 1)); then
                [[ "${words[1]}" = help ]] && words=("${words[0]}" "${words[@]:2}")
                case "${words[1]}" in
                system) words[1]=container ;;
                wal) words[1]=wal_archive ;;
                status | dashboard) words=("${words[0]}" container "${words[@]:1}") ;;
                esac
            fi
            local -a COMP_WORDS=("${words[@]}")
            local COMP_CWORD="$((${#words[@]} - 1))" COMP_LINE="${words[*]}"
            local COMP_POINT="${#COMP_LINE}"
            _pgarchive "${words[0]}" "${words[COMP_CWORD]}" "${words[COMP_CWORD - 1]}"
            ((is_first)) && COMPREPLY+=($(compgen -W 'status dashboard system' -- "${words[1]}"))
            return 0
        }

        complete -o filenames -F _pgarchive_other_words pgarchive
        """#
}
