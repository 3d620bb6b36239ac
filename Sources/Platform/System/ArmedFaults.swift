import Glibc
import Synchronization

/// The fault points that the environment arms; nil when there are none.
final class Armed: Sendable {
    static let shared: Armed? = {
        guard let text = getenv("PGARCHIVE_FAULT") else { return nil }
        let faults = parse(String(cString: text))
        return faults.isEmpty ? nil : Armed(faults)
    }()

    enum Action: String { case exit, error, unsupported, pause, stop }

    struct Fault {
        let action: Action
        var passagesLeft: Int
    }

    private let faults: Mutex<[String: Fault]>

    init(_ faults: [String: Fault]) { self.faults = Mutex(faults) }

    static func parse(_ text: String) -> [String: Fault] {
        var faults: [String: Fault] = [:]
        for item in text.split(separator: ",") {
            let sides = item.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { continue }
            let parts = sides[1].split(separator: "@", maxSplits: 1)
            guard let word = parts.first, let action = Action(rawValue: String(word)) else { continue }
            let passage = parts.count == 2 ? Int(parts[1]) ?? 1 : 1
            faults[String(sides[0])] = Fault(action: action, passagesLeft: passage)
        }
        return faults
    }

    func pass(_ name: String) throws(SystemError) {
        let due = faults.withLock { faults -> Action? in
            guard let left = faults[name]?.passagesLeft, left > 0 else { return nil }
            faults[name]?.passagesLeft = left - 1
            return left == 1 ? faults[name]?.action : nil
        }
        guard let due else { return }
        leaveMark()
        switch due {
        case .exit: _exit(FaultPoint.exitStatus)
        case .error: throw SystemError(call: "pass the fault point", errno: EIO, path: name)
        case .unsupported: throw SystemError(call: "pass the fault point", errno: EINVAL, path: name)
        case .pause: while true { Glibc.pause() }
        case .stop: kill(getpid(), SIGSTOP)
        }
    }

    private func leaveMark() {
        guard let path = getenv("PGARCHIVE_FAULT_MARK") else { return }
        let mark = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        if mark >= 0 { close(mark) }
    }
}
