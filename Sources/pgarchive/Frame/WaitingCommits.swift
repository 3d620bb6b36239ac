import ArchiveEngine
import ArchiveModel

/// What is said where a synchronous archive goes away: at the upstream nothing fails, commits just do not return.
enum WaitingCommits {
    static let untilItRuns = sentence("until it runs again")
    static let forEver = sentence("for ever")

    static func warn(of container: Container, _ render: Render) {
        if container.settings.walSynchronous { render.warning(untilItRuns) }
    }

    private static func sentence(_ time: String) -> String {
        "commits of the upstream may wait for this archive (wal.synchronous) \(time); there this frees them: "
            + "ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf();"
    }
}
