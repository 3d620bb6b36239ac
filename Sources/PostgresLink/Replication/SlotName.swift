/// A replication slot's name: 1 to 63 of a-z, 0-9 and _ (PostgreSQL: `ReplicationSlotValidateName`).
package struct SlotName: Hashable, Sendable, LosslessStringConvertible {
    package let description: String

    package init?(_ text: String) {
        let allowed = text.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
        }
        guard allowed, (1...63).contains(text.utf8.count) else { return nil }
        self.description = text
    }
}
