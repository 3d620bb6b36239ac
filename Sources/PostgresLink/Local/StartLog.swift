internal import Platform

/// What a server has logged since a moment, to explain why it did not start.
struct StartLog: Sendable {
    private let startFile: String
    private let startFileBytes: Int64
    private let log: ServerLog?
    private let logBytes: [String: Int64]

    /// `log_line_prefix` for what is said before the log collector runs: the SQLSTATE first.
    static let linePrefix = "%e %m [%p] "

    /// Remembers how long the logs are now.
    init(_ launch: ServerLaunch) {
        startFile = launch.logFile
        startFileBytes = (try? FileTree.size(launch.logFile)) ?? 0
        log = launch.logDirectory.map { ServerLog(directory: $0) }
        var sizes: [String: Int64] = [:]
        for file in log?.csvFiles() ?? [] { sizes[file] = (try? FileTree.size(file)) ?? 0 }
        logBytes = sizes
    }

    /// Whether the server has said something with this SQLSTATE before its log collector ran.
    func hasEarly(_ sqlState: String) -> Bool {
        earlyText().split(separator: "\n").contains { $0.hasPrefix("\(sqlState) ") }
    }

    private func earlyText() -> String {
        String(decoding: FileEnding.read(startFile, from: startFileBytes, limitBytes: 64 << 10), as: UTF8.self)
    }

    /// The lines that matter: what ended the server and a few entries before that.
    func lines() -> [String] {
        let earlyLines = earlyText().split(separator: "\n").map(String.init).suffix(12).map { $0 }
        let entries = (log?.csvFiles() ?? []).flatMap { file in
            ServerLog.entries(in: file, from: logBytes[file] ?? 0)
        }
        .sorted { $0.time < $1.time }
        // Clients that came too early are no reason.
        let relevant = entries.filter { $0.sqlState != SQLState.cannotConnectNow }
        if let fatal = relevant.lastIndex(where: \.isFatal) {
            return relevant[max(0, fatal - 4)...fatal].flatMap(\.lines)
        }
        return earlyLines + relevant.suffix(6).flatMap(\.lines)
    }
}
