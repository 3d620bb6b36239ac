import Glibc
import Platform
package import WALFormat

/// The segments of an archive by their names alone: no file is looked at.
package struct ArchiveNames: Sendable {
    /// Their numbers, in order, each once in whatever form.
    package private(set) var complete: [TimelineID: [UInt64]] = [:]
    /// Those of which there is only a partial file.
    package private(set) var partial: [TimelineID: [UInt64]] = [:]

    init(_ directory: String, size: SegmentSize) throws(SystemError) {
        guard let stream = opendir(directory) else {
            throw SystemError(call: "list", errno: errno, path: directory)
        }
        defer { closedir(stream) }
        let perLog = (UInt64(1) << 32) / size.bytes
        // Mostly those of one timeline, one behind the other.
        var found: (timeline: UInt32, complete: [UInt64], partial: [UInt64]) = (0, [], [])
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw SystemError(call: "list", errno: errno, path: directory) }
                break
            }
            withUnsafeBytes(of: &entry.pointee.d_name) { space in
                let name = space.prefix { $0 != 0 }
                guard name.count >= 24, let kind = ArchiveGlance.Kind(name), kind != .history,
                    let timeline = Self.number(name.prefix(8)), let log = Self.number(name.dropFirst(8).prefix(8)),
                    let segment = Self.number(name.dropFirst(16).prefix(8)), segment < perLog
                else { return }
                if timeline != found.timeline {
                    add(found)
                    found = (timeline, [], [])
                }
                let number = UInt64(log) &* perLog &+ UInt64(segment)
                if kind == .complete { found.complete.append(number) } else { found.partial.append(number) }
            }
        }
        add(found)
        for (timeline, numbers) in complete { complete[timeline] = Self.inOrder(numbers) }
        for (timeline, numbers) in partial {
            let whole = Set((complete[timeline] ?? []).suffix(1000))
            partial[timeline] = Self.inOrder(numbers).filter { !whole.contains($0) }
        }
    }

    private mutating func add(_ found: (timeline: UInt32, complete: [UInt64], partial: [UInt64])) {
        if !found.complete.isEmpty { complete[TimelineID(found.timeline), default: []] += found.complete }
        if !found.partial.isEmpty { partial[TimelineID(found.timeline), default: []] += found.partial }
    }

    private static func inOrder(_ numbers: [UInt64]) -> [UInt64] {
        var numbers = numbers.sorted()
        var kept = 0
        for index in numbers.indices where index == 0 || numbers[index] != numbers[kept - 1] {
            numbers[kept] = numbers[index]
            kept += 1
        }
        numbers.removeSubrange(kept...)
        return numbers
    }

    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt32? {
        var value: UInt32 = 0
        for byte in digits {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt32(byte &- 0x30)
            case 0x41...0x46: value = value << 4 | UInt32(byte &- 0x41 &+ 10)
            default: return nil
            }
        }
        return value
    }
}

extension WALDirectory {
    package func names() throws -> ArchiveNames { try ArchiveNames(path, size: segmentSize) }
}
