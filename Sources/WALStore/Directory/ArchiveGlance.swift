import Glibc
import Platform
package import WALFormat

/// The newest of everything in an archive, by names alone: cheap enough for each look of a waiting fetch.
struct ArchiveGlance {
    /// The highest timeline of any segment, partial or not, or history file.
    private(set) var newestTimeline: TimelineID?
    /// The last complete segment of each timeline.
    private(set) var lastComplete: [TimelineID: SegmentName] = [:]
    /// The last segment of each timeline, partial or not.
    private(set) var last: [TimelineID: SegmentName] = [:]

    init(_ directory: String) throws {
        guard let stream = opendir(directory) else {
            throw SystemError(call: "list", errno: errno, path: directory)
        }
        defer { closedir(stream) }
        // The newest name of each timeline as text: names of one length sort as their addresses.
        var complete: [UInt32: [UInt8]] = [:]
        var any: [UInt32: [UInt8]] = [:]
        func note(_ digits: Slice<UnsafeRawBufferPointer>, in last: inout [UInt32: [UInt8]], of timeline: UInt32) {
            if let known = last[timeline], !known.lexicographicallyPrecedes(digits) { return }
            last[timeline] = Array(digits)
        }
        var newest: UInt32 = 0
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw SystemError(call: "list", errno: errno, path: directory) }
                break
            }
            withUnsafeBytes(of: &entry.pointee.d_name) { space in
                let name = space.prefix { $0 != 0 }
                guard let kind = Kind(name), let timeline = Self.timeline(name) else { return }
                newest = max(newest, timeline)
                guard kind != .history else { return }
                note(name.prefix(24), in: &any, of: timeline)
                if kind == .complete { note(name.prefix(24), in: &complete, of: timeline) }
            }
        }
        newestTimeline = newest > 0 ? TimelineID(newest) : nil
        lastComplete = Self.names(complete)
        last = Self.names(any)
    }

    private static func names(_ last: [UInt32: [UInt8]]) -> [TimelineID: SegmentName] {
        var names: [TimelineID: SegmentName] = [:]
        for (timeline, digits) in last {
            names[TimelineID(timeline)] = SegmentName(String(decoding: digits, as: UTF8.self))
        }
        return names
    }

    /// The number of the last complete segment of a timeline.
    func lastNumber(of timeline: TimelineID, size: SegmentSize) -> UInt64? {
        lastComplete[timeline]?.number(size: size)
    }

    enum Kind {
        case complete
        case partial
        case history

        init?(_ name: Slice<UnsafeRawBufferPointer>) {
            switch name.count {
            case 24: self = .complete
            case 27 where name.dropFirst(24).elementsEqual(".gz".utf8): self = .complete
            case 28 where name.dropFirst(24).elementsEqual(".zst".utf8): self = .complete
            case 28 where name.dropFirst(24).elementsEqual(".lz4".utf8): self = .complete
            case 32 where name.dropFirst(24).elementsEqual(".partial".utf8): self = .partial
            case 35 where name.dropFirst(24).elementsEqual(".gz.partial".utf8): self = .partial
            case 36 where name.dropFirst(24).elementsEqual(".lz4.partial".utf8): self = .partial
            case 16 where name.dropFirst(8).elementsEqual(".history".utf8):
                self = .history
                return
            default: return nil
            }
            guard name.prefix(24).allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0) }) else {
                return nil
            }
        }
    }

    /// Those of segments, partial or not, and of history files.
    fileprivate static func timelines(_ directory: String) throws -> Set<TimelineID> {
        guard let stream = opendir(directory) else {
            throw SystemError(call: "list", errno: errno, path: directory)
        }
        defer { closedir(stream) }
        var found: Set<TimelineID> = []
        // Among a million names few begin otherwise than the one before.
        var last: UInt64 = 0
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw SystemError(call: "list", errno: errno, path: directory) }
                return found
            }
            withUnsafeBytes(of: &entry.pointee.d_name) { space in
                let beginning = space.loadUnaligned(as: UInt64.self)
                if beginning == last { return }
                let name = space.prefix { $0 != 0 }
                guard Kind(name) != nil, let timeline = timeline(name) else { return }
                found.insert(TimelineID(timeline))
                last = beginning
            }
        }
    }

    private static func timeline(_ name: Slice<UnsafeRawBufferPointer>) -> UInt32? {
        var value: UInt32 = 0
        for byte in name.prefix(8) {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt32(byte &- 0x30)
            case 0x41...0x46: value = value << 4 | UInt32(byte &- 0x41 &+ 10)
            default: return nil
            }
        }
        return value > 0 ? value : nil
    }
}

extension WALDirectory {
    /// The timelines of segments, partial or not, and of history files: by names alone.
    package func timelines() throws -> Set<TimelineID> { try ArchiveGlance.timelines(path) }
}
