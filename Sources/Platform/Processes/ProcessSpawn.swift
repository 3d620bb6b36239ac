import CPlatform
import Glibc

/// Starts programs.
package enum ProcessSpawn {
    /// Starts a program and returns once it runs: what prevents that, up to a failed exec, is thrown here.
    package static func spawn(_ request: SpawnRequest) throws(SystemError) -> SpawnedProcess {
        let input = try StreamSource(request.standardInput, standard: 0)
        let output = try StreamSource(request.standardOutput, standard: 1)
        let error = try StreamSource(request.standardError, standard: 2)
        let pid = try launch(request, standard: (input.raw, output.raw, error.raw))
        input.keepUntilHere()
        output.keepUntilHere()
        error.keepUntilHere()
        do throws(SystemError) {
            let handle = try checked(pgarchive_pidfd_open(pid), "open a handle of process", "\(pid)")
            return SpawnedProcess(pid: pid, handle: Descriptor(owning: handle))
        } catch {
            kill(pid, SIGKILL)
            var kind: Int32 = 0
            var value: Int32 = 0
            pgarchive_wait_child(pid, true, &kind, &value)
            throw error
        }
    }

    private static func launch(
        _ request: SpawnRequest,
        standard: (Int32, Int32, Int32)
    ) throws(SystemError) -> pid_t {
        let arguments = CStringArray([request.executable] + request.arguments)
        let environment = CStringArray(request.environment.map { "\($0.key)=\($0.value)" }.sorted())
        let executable = CStringArray([request.executable, request.workingDirectory ?? ""])
        let kept = request.keptDescriptors
        let groups = request.user?.groups ?? []
        var step: Int32 = 0
        let pid = kept.withUnsafeBufferPointer { kept in
            groups.withUnsafeBufferPointer { groups in
                var spawn = pgarchive_spawn()
                spawn.executable = UnsafePointer(executable.pointers[0])
                spawn.arguments = UnsafePointer(arguments.pointers.baseAddress)
                spawn.environment = UnsafePointer(environment.pointers.baseAddress)
                spawn.directory = request.workingDirectory == nil ? nil : UnsafePointer(executable.pointers[1])
                spawn.standard = standard
                spawn.kept = kept.baseAddress
                spawn.kept_count = kept.count
                spawn.new_session = request.newSession
                spawn.change_user = request.user != nil
                spawn.uid = request.user?.uid ?? 0
                spawn.gid = request.user?.gid ?? 0
                spawn.groups = groups.baseAddress
                spawn.group_count = groups.count
                spawn.parent_death_signal = request.parentDeathSignal ?? 0
                spawn.umask = request.umask.map { Int32($0 & 0o777) } ?? -1
                return pgarchive_spawn_process(&spawn, &step)
            }
        }
        guard pid < 0 else { return pid }
        throw failure(step: step, errno: -pid, request)
    }

    private static func failure(step: Int32, errno: Int32, _ request: SpawnRequest) -> SystemError {
        let call =
            switch pgarchive_spawn_step(rawValue: UInt32(step)) {
            case PGARCHIVE_STEP_DIRECTORY: "enter"
            case PGARCHIVE_STEP_GROUPS, PGARCHIVE_STEP_USER: "change the user for"
            case PGARCHIVE_STEP_SESSION: "start a session for"
            case PGARCHIVE_STEP_DESCRIPTORS: "pass descriptors to"
            case PGARCHIVE_STEP_PARENT: "tie to its parent"
            case PGARCHIVE_STEP_EXECUTE: "execute"
            default: "start a process for"
            }
        let directory = step == Int32(PGARCHIVE_STEP_DIRECTORY.rawValue)
        return SystemError(call: call, errno: errno, path: directory ? request.workingDirectory : request.executable)
    }
}

/// The descriptor behind a `SpawnStream`, opened where it is ours to open.
private struct StreamSource: ~Copyable {
    let raw: Int32
    private let owned: Descriptor?

    init(_ stream: SpawnStream, standard: Int32) throws(SystemError) {
        let opened: Descriptor
        switch stream {
        case .inherit:
            raw = standard
            owned = nil
            return
        case .descriptor(let number):
            raw = number
            owned = nil
            return
        case .null:
            opened = try Descriptor.open("/dev/null", O_RDWR)
        case .file(let path):
            opened = try Descriptor.open(path, standard == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND)
        }
        raw = opened.raw
        owned = consume opened
    }

    /// Lexical lifetimes would do; this says it.
    func keepUntilHere() {}
}

/// A NULL-terminated array of C strings that lives as long as this value.
private final class CStringArray {
    let pointers: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>

    init(_ strings: [String]) {
        pointers = .allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { pointers.initializeElement(at: index, to: strdup(string)) }
        pointers.initializeElement(at: strings.count, to: nil)
    }

    deinit {
        for pointer in pointers { free(pointer) }
        pointers.deallocate()
    }
}
