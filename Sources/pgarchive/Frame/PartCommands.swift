import ArchiveEngine
import ArchiveModel
import ArgumentParser

/// What the verbs of wal_archive and standby have in common.
enum PartCommands {
    static func start(_ part: Part, _ wait: WaitOptions, in container: Container, _ render: Render) throws {
        let reply = try SupervisorStart(container).start(parts: [part], wait.patience(render))
        try showStarted(reply, [part], wait, in: container, render)
    }

    static func stop(
        _ part: Part,
        mode: StopOptions.Mode,
        _ wait: WaitOptions,
        in container: Container,
        _ render: Render
    ) throws {
        let control = PartControl(container)
        let reply = try control.stop(parts: [part], mode: mode.rawValue, wait.patience(render))
        try show(reply, [part], wait, render)
    }

    static func restart(
        _ part: Part,
        mode: StopOptions.Mode,
        _ wait: WaitOptions,
        in container: Container,
        _ render: Render
    ) throws {
        let control = PartControl(container)
        let reply = try control.restart(parts: [part], mode: mode.rawValue, wait.patience(render))
        try showStarted(reply, [part], wait, in: container, render)
    }

    /// What a supervisor answered, as one line a part; an error where the parts are still on their way.
    static func show(_ reply: ControlReply, _ parts: [Part], _ wait: WaitOptions, _ render: Render) throws {
        let states = reply.parts.filter { parts.contains($0.part) }
        try requireSettled(reply, states, wait)
        try render.done(states.map { PartView($0, nil) }, states.map(sentence).joined(separator: "\n"))
    }

    /// What runs now, in the words of status: a receiver that only tries to connect says so, and why.
    static func showStarted(
        _ reply: ControlReply,
        _ parts: [Part],
        _ wait: WaitOptions,
        in container: Container,
        _ render: Render
    ) throws {
        let states = reply.parts.filter { parts.contains($0.part) }
        try requireSettled(reply, states, wait)
        let reports = try StatusReport.gather(container).parts
        let views = states.map { state in PartView(state, reports.first { $0.name == state.part.rawValue }) }
        try render.done(views, views.map(\.line).joined(separator: "\n"))
    }

    private static func requireSettled(
        _ reply: ControlReply,
        _ states: [ControlReply.PartState],
        _ wait: WaitOptions
    ) throws {
        guard reply.isSettled || wait.noWait else {
            throw ArchiveError(
                .failed,
                "the time is over: "
                    + states.filter { $0.phase == .starting || $0.phase == .stopping }.map(sentence)
                    .joined(separator: "; "),
                hint: "it goes on; 'pgarchive container status' shows how far it is"
            )
        }
    }

    private static func sentence(_ state: ControlReply.PartState) -> String { PartView(state, nil).line }

    /// One part of the container's status; exit 1 when it is not running.
    static func status(_ part: Part, stations: [String], in container: Container, _ render: Render) throws {
        let report = try StatusReport.gather(container)
        let view = PartStatus(
            part: report.parts.first { $0.name == part.rawValue },
            stations: report.waterline.stations.filter { stations.contains($0.name) },
            archiveCommand: part == .walArchive ? report.archiveCommand : nil
        )
        try render.show(view) { palette in
            StatusText.parts([view.part].compactMap { $0 }, palette) + StatusText.waterline(view.stations, palette)
                + StatusText.archiveCommand(view.archiveCommand)
        }
        if view.part?.isRunning != true { throw ExitCode(1) }
    }
}

/// The status of one part.
struct PartStatus: Encodable {
    let part: StatusReport.PartReport?
    let stations: [Waterline.Station]
    let archiveCommand: String?
}

/// What became of a part, in the words of status.
struct PartView: Encodable {
    let part: String
    let state: String
    let reason: String?
    let processID: Int32?

    /// - Parameter report: where the part runs, what status says of it.
    init(_ answer: ControlReply.PartState, _ report: StatusReport.PartReport?) {
        part = answer.part.rawValue
        state = report?.state ?? answer.phase.rawValue
        reason = report?.reason ?? answer.reason
        processID = report?.processID ?? answer.processID
    }

    var line: String {
        "\(part): \(state)" + (processID.map { ", process \($0)" } ?? "") + (reason.map { ", \($0)" } ?? "")
    }
}
