import ArgumentParser

struct TimelineOption: ParsableArguments {
    @Option(
        name: [.customLong("timeline"), .customLong("target-timeline"), .customLong("target-tli")],
        help: ArgumentHelp("The timeline to follow: a number, latest or current. (default: latest)", valueName: "n"),
        completion: .custom { words, _, _ in Completions.timelines(words) }
    )
    var timeline: String?
}
