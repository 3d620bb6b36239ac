import CPlatform
import Glibc

extension ProcessSpawn {
    /// Runs a program to its end and collects what it writes.
    ///
    /// The request's output and error are replaced by pipes.
    /// - Parameters:
    ///   - request: what to run.
    ///   - input: fed to its standard input; nil leaves the request's.
    ///   - outputLimit: bytes kept of output and of error, each; the rest is read and thrown away.
    ///   - timeoutSeconds: after that it is killed.
    /// - Returns: how it ended and what it wrote.
    /// - Throws: ETIMEDOUT, or what prevented the start. A failing exit status is not an error here.
    package static func run(
        _ request: SpawnRequest,
        input: [UInt8]? = nil,
        outputLimit: Int = 1 << 20,
        timeoutSeconds: Double? = nil
    ) throws(SystemError) -> ProcessOutput {
        var request = request
        let output = try Descriptor.pipe()
        let error = try Descriptor.pipe()
        request.standardOutput = .descriptor(output.writing.raw)
        request.standardError = .descriptor(error.writing.raw)
        var feed: Feed?
        if let input {
            let pipe = try Descriptor.pipe()
            request.standardInput = .descriptor(pipe.reading.raw)
            try pipe.writing.setNonBlocking(true)
            let process = try spawn(request)
            feed = Feed(bytes: input, descriptor: pipe.takeWriting())
            return try collect(
                process,
                request,
                feed: &feed,
                output: output.takeReading(),
                error: error.takeReading(),
                limit: outputLimit,
                deadline: Deadline(seconds: timeoutSeconds)
            )
        }
        let process = try spawn(request)
        return try collect(
            process,
            request,
            feed: &feed,
            output: output.takeReading(),
            error: error.takeReading(),
            limit: outputLimit,
            deadline: Deadline(seconds: timeoutSeconds)
        )
    }

    private static func collect(
        _ process: SpawnedProcess,
        _ request: SpawnRequest,
        feed: inout Feed?,
        output: consuming Descriptor,
        error: consuming Descriptor,
        limit: Int,
        deadline: Deadline
    ) throws(SystemError) -> ProcessOutput {
        var output = Capture(descriptor: output, limit: limit)
        var error = Capture(descriptor: error, limit: limit)
        do throws(SystemError) {
            try output.descriptor.setNonBlocking(true)
            try error.descriptor.setNonBlocking(true)
            var hasEnded = false
            while !hasEnded {
                let ready = try Poll.wait(
                    [
                        PollItem(process.pidDescriptor),
                        PollItem(output.isOpen ? output.descriptor.raw : -1),
                        PollItem(error.isOpen ? error.descriptor.raw : -1),
                        PollItem(feed?.descriptor.raw ?? -1, .writable),
                    ],
                    timeoutMilliseconds: deadline.millisecondsLeft
                )
                // First the end, then the pipes: all that it wrote is in them by then. A grandchild that keeps a
                // pipe open is not waited for.
                hasEnded = !ready[0].isEmpty
                if hasEnded || !ready[1].isEmpty { try output.takeAll() }
                if hasEnded || !ready[2].isEmpty { try error.takeAll() }
                if !ready[3].isEmpty, feed?.push() ?? true { feed = nil }
                if !hasEnded, deadline.hasPassed {
                    throw SystemError(call: "wait for the end of", errno: ETIMEDOUT, path: request.executable)
                }
            }
        } catch {
            if request.newSession { process.signalGroup(SIGKILL) }
            process.signal(SIGKILL)
            _ = process.wait()
            throw error
        }
        return ProcessOutput(
            status: process.wait(),
            output: output.bytes,
            error: error.bytes,
            isTruncated: output.isTruncated || error.isTruncated
        )
    }
}

extension PipeEnds {
    consuming func takeReading() -> Descriptor { reading }
    consuming func takeWriting() -> Descriptor { writing }
}

/// What is still to be written to a program's input.
private struct Feed: ~Copyable {
    let bytes: [UInt8]
    let descriptor: Descriptor
    private var position = 0

    init(bytes: [UInt8], descriptor: consuming Descriptor) {
        self.bytes = bytes
        self.descriptor = descriptor
    }

    /// Writes what fits; true when nothing more can or need be written.
    mutating func push() -> Bool {
        guard position < bytes.count else { return true }
        let put = bytes[position...].withUnsafeBytes {
            pgarchive_write_quietly(descriptor.raw, $0.baseAddress, $0.count)
        }
        if put == -Int64(EAGAIN) { return false }
        // EPIPE: the program wants no more, which is its right.
        guard put > 0 else { return true }
        position += Int(put)
        return position >= bytes.count
    }
}

private struct Capture: ~Copyable {
    let descriptor: Descriptor
    let limit: Int
    private(set) var bytes: [UInt8] = []
    private(set) var isTruncated = false
    private(set) var isOpen = true

    init(descriptor: consuming Descriptor, limit: Int) {
        self.descriptor = descriptor
        self.limit = limit
    }

    mutating func takeAll() throws(SystemError) {
        // Bounded, so that a grandchild that writes without end cannot hold us.
        for _ in 0..<64 where isOpen {
            let chunk: [UInt8]
            do throws(SystemError) { chunk = try descriptor.chunk(64 << 10) } catch {
                if error.errno == EAGAIN { return }
                throw error
            }
            if chunk.isEmpty { isOpen = false }
            let room = limit - bytes.count
            bytes += chunk.prefix(room)
            if chunk.count > room { isTruncated = true }
        }
    }
}
