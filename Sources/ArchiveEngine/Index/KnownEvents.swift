import ArchiveModel

/// Events as the index has them, for those who must not wait: it is not brought up to date, nor made where there is
/// none.
package enum KnownEvents {
    /// The newest of these kinds, newest first.
    package static func newest(_ container: Container, kinds: Set<String>, limit: Int) throws -> [NamedEvent] {
        try IndexFile(container).look { index in
            let names = EventNames(index)
            var found: [NamedEvent] = []
            try index.eachEvent(kinds: kinds) { event in
                found.append(try names.named(event))
                return found.count < limit
            }
            return found
        } ?? []
    }
}
