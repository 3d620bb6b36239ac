import ArchiveEngine
import ArchiveModel
import ArgumentParser

/// A command on one container: it parses, calls the engine, and renders; it decides nothing.
protocol ContainerCommand: ParsableCommand {
    associatedtype Options: CommonOptions

    var global: Options { get }

    /// Called as the container's owner.
    func run(in container: Container) throws
}

extension ContainerCommand {
    func run() throws {
        let container = try global.locator.open(global.selector)
        try Privileges.becomeOwner(of: container)
        let begin = monotonicSeconds()
        render.verbose(
            "container '\(container.name)' in \(container.paths.root), as user '\(container.identity.owner)'"
        )
        defer { render.verbose("took \(HumanText.elapsed(seconds: monotonicSeconds() - begin))") }
        try run(in: container)
    }

    var render: Render { global.render }
}

extension CommonOptions {
    var locator: ContainerLocator { ContainerLocator(environment: Handover.environment) }

    /// Does long work and shows where it is.
    func withProgress<Result>(_ work: (Progress) throws -> Result) throws -> Result {
        let line = ProgressLine(isQuiet: quiet, isVerbose: verbose)
        defer { line.end() }
        return try work(
            Progress { event in
                switch event {
                case .step(let text): line.step(text)
                case .bytes(let done, let total): line.bytes(done: done, total: total)
                case .replayed(let bytes, let total, let time):
                    line.bytes(done: bytes, total: total, remark: time.map { "at \(HumanText.instantSeconds($0))" })
                case .note(let text): line.note(text)
                }
            }
        )
    }
}
