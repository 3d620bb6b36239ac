import CPlatform
import Glibc
import Synchronization

/// Tells when something changes in directories or files: inotify.
///
/// Network and FUSE filesystems do not report what others change there: a waiter still looks by itself now and then.
package final class FileWatch: Sendable {
    private let descriptor: Descriptor
    private let paths = Mutex<[Int32: String]>([:])

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try checked(pgarchive_watch_create(), "create a file watch"))
    }

    /// For `poll`: readable when there are events.
    package var raw: Int32 { descriptor.raw }

    package func add(_ path: String, _ events: FileEvents) throws(SystemError) {
        let watch = try checked(pgarchive_watch_add(descriptor.raw, path, events.rawValue), "watch", path)
        paths.withLock { $0[watch] = path }
    }

    package func remove(_ path: String) {
        let watch = paths.withLock { paths in
            let watch = paths.first { $0.value == path }?.key
            if let watch { paths[watch] = nil }
            return watch
        }
        if let watch { pgarchive_watch_remove(descriptor.raw, watch) }
    }

    /// The events since the last time; empty when there are none.
    ///
    /// Does not wait.
    package func read() throws(SystemError) -> [FileEvent] {
        var events: [FileEvent] = []
        while true {
            let bytes: [UInt8]
            do throws(SystemError) { bytes = try descriptor.chunk(16 << 10) } catch {
                if error.errno == EAGAIN { return events }
                throw error
            }
            if bytes.isEmpty { return events }
            events += bytes.withUnsafeBytes { parse($0) }
        }
    }

    /// Waits for an event; whether one came in time.
    package func wait(timeoutMilliseconds: Int32) throws(SystemError) -> Bool {
        try Poll.wait(for: raw, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// `struct inotify_event`: wd, mask, cookie, len, then a name padded with zeros (inotify(7)).
    private func parse(_ bytes: UnsafeRawBufferPointer) -> [FileEvent] {
        var events: [FileEvent] = []
        var offset = 0
        while bytes.count - offset >= 16 {
            let watch = bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)
            let mask = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
            let length = Int(bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
            guard length <= bytes.count - offset - 16 else { break }
            let name = bytes[(offset + 16)..<(offset + 16 + length)].prefix { $0 != 0 }
            let path = paths.withLock { paths in
                let path = paths[watch]
                if mask & UInt32(IN_IGNORED) != 0 { paths[watch] = nil }
                return path
            }
            let known = FileEvents(rawValue: mask)
            if path != nil || known.contains(.overflowed) {
                let text = name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
                events.append(FileEvent(watchedPath: path ?? "", name: text, events: known))
            }
            offset += 16 + length
        }
        return events
    }
}
