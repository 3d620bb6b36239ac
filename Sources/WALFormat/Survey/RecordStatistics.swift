/// How many records of each resource manager there are, and how long they are.
package struct RecordStatistics: Hashable, Sendable {
    package struct Count: Hashable, Sendable {
        package fileprivate(set) var records: UInt64 = 0
        /// Whole records, with page images.
        package fileprivate(set) var bytes: UInt64 = 0
    }

    /// One for each number that a resource manager can have.
    private var counts = [Count](repeating: Count(), count: 256)

    package init() {}

    package subscript(manager: UInt8) -> Count { counts[Int(manager)] }

    /// Those with records, by number.
    package var managers: [UInt8] { (0...UInt8.max).filter { counts[Int($0)].records > 0 } }

    package var total: Count {
        counts.reduce(into: Count()) { total, count in
            total.records &+= count.records
            total.bytes &+= count.bytes
        }
    }

    @inline(__always)
    mutating func add(_ manager: UInt8, bytes: UInt32) {
        counts[Int(manager)].records &+= 1
        counts[Int(manager)].bytes &+= UInt64(bytes)
    }

    package mutating func add(_ other: RecordStatistics) {
        for index in counts.indices {
            counts[index].records &+= other.counts[index].records
            counts[index].bytes &+= other.counts[index].bytes
        }
    }

    mutating func removeAll() {
        for index in counts.indices { counts[index] = Count() }
    }
}
