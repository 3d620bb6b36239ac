import ArgumentParser

/// What every log command understands.
struct LogOptions: ParsableArguments {
    @Flag(name: [.short, .long], help: "Show the last 10 lines, then what is added, until Ctrl-C.")
    var follow = false

    func show(_ log: LogView) throws {
        if follow { try log.follow() } else { try log.show() }
    }
}
