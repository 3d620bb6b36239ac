import CPlatform
import Glibc

package struct FileEvents: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let modified = FileEvents(rawValue: UInt32(IN_MODIFY))
    package static let closedAfterWriting = FileEvents(rawValue: UInt32(IN_CLOSE_WRITE))
    package static let movedFrom = FileEvents(rawValue: UInt32(IN_MOVED_FROM))
    package static let movedTo = FileEvents(rawValue: UInt32(IN_MOVED_TO))
    package static let created = FileEvents(rawValue: UInt32(IN_CREATE))
    package static let deleted = FileEvents(rawValue: UInt32(IN_DELETE))
    /// Reported unasked: the watched file or directory itself is gone, the watch with it.
    package static let gone = FileEvents(rawValue: UInt32(IN_IGNORED))
    /// Reported unasked: events were lost, look at everything again.
    package static let overflowed = FileEvents(rawValue: UInt32(IN_Q_OVERFLOW))
    /// A name in the directory appeared, vanished or changed.
    package static let anyName: FileEvents = [.created, .deleted, .movedFrom, .movedTo, .closedAfterWriting]
}

package struct FileEvent: Sendable, Hashable {
    /// The path given to `add`; empty after an overflow.
    package let watchedPath: String
    /// The name in the watched directory, nil when the event is about the watched path itself.
    package let name: String?
    package let events: FileEvents
}
