/// The effects of all transactions within a piece of WAL, for tens of thousands of them without an allocation each.
///
/// Ids come in order, nearly: the place of an id in the open-addressed table is its lowest bits.
struct TransactionTable: Sendable {
    private struct Slot {
        /// 0: free.
        var transactionID: UInt32 = 0
        var hasEnded = false
        var firstFile: Int32 = -1
        var firstNote: Int32 = -1
    }

    private struct File {
        let file: RelationFile
        var next: Int32
        var inserts: UInt32 = 0
        var deletes: UInt32 = 0
        var updates: UInt32 = 0
    }

    private struct Note {
        let note: TransactionEffects.Note
        let next: Int32
    }

    enum Change {
        case insert
        case delete
        case update
    }

    private static let initialSlots = 1 << 10

    private var slots = [Slot](repeating: Slot(), count: initialSlots)
    private var used = 0
    private var files: [File] = []
    private var notes: [Note] = []
    /// Where the last id was found.
    private var lastIndex = 0

    mutating func removeAll() {
        guard used > 0 else { return }
        for index in slots.indices { slots[index] = Slot() }
        used = 0
        lastIndex = 0
        files.removeAll(keepingCapacity: true)
        notes.removeAll(keepingCapacity: true)
    }

    /// Counts rows of a relation; the id is not 0.
    @inline(__always)
    mutating func count(_ change: Change, rows: UInt32, of file: RelationFile, by transaction: UInt32) {
        let slot = index(of: transaction)
        let first = slots[slot].firstFile
        var entry = first
        if first < 0 || files[Int(first)].file != file {
            entry = bringToFront(file, slot: slot)
        }
        switch change {
        case .insert: files[Int(entry)].inserts &+= rows
        case .delete: files[Int(entry)].deletes &+= rows
        case .update: files[Int(entry)].updates &+= rows
        }
    }

    /// The file's entry, made when there is none, first in its transaction's list: the next row is of the same file.
    private mutating func bringToFront(_ file: RelationFile, slot: Int) -> Int32 {
        let first = slots[slot].firstFile
        var before = first
        while before >= 0 {
            let entry = files[Int(before)].next
            if entry >= 0, files[Int(entry)].file == file {
                files[Int(before)].next = files[Int(entry)].next
                files[Int(entry)].next = first
                slots[slot].firstFile = entry
                return entry
            }
            before = entry
        }
        let entry = Int32(truncatingIfNeeded: files.count)
        files.append(File(file: file, next: first))
        slots[slot].firstFile = entry
        return entry
    }

    mutating func note(_ what: TransactionEffects.Note.What, at position: LSN, by transaction: UInt32) {
        let slot = index(of: transaction)
        let entry = Int32(truncatingIfNeeded: notes.count)
        let note = TransactionEffects.Note(position: position, what: what)
        notes.append(Note(note: note, next: slots[slot].firstNote))
        slots[slot].firstNote = entry
    }

    /// Says that a transaction is over; whether it has an effect of its own that may be an event.
    @inline(__always)
    mutating func end(_ transaction: UInt32) -> Bool {
        let slot = index(of: transaction)
        slots[slot].hasEnded = true
        var entry = slots[slot].firstFile
        while entry >= 0 {
            let file = files[Int(entry)]
            if UInt64(max(file.deletes, file.updates)) >= SurveyEvent.massThreshold { return true }
            entry = file.next
        }
        return false
    }

    func effects(of transaction: UInt32) -> TransactionEffects? {
        guard let slot = existing(transaction) else { return nil }
        return effects(slots[slot])
    }

    /// Of the transactions that have not ended here, those with effects.
    var open: [TransactionEffects] {
        slots.compactMap { $0.transactionID != 0 && !$0.hasEnded ? effects($0) : nil }
    }

    private func effects(_ slot: Slot) -> TransactionEffects? {
        guard slot.firstFile >= 0 || slot.firstNote >= 0 else { return nil }
        var result = TransactionEffects(transactionID: slot.transactionID)
        var entry = slot.firstFile
        while entry >= 0 {
            let file = files[Int(entry)]
            result.files.append(
                .init(
                    file: file.file,
                    inserts: UInt64(file.inserts),
                    deletes: UInt64(file.deletes),
                    updates: UInt64(file.updates)
                )
            )
            entry = file.next
        }
        entry = slot.firstNote
        while entry >= 0 {
            result.notes.append(notes[Int(entry)].note)
            entry = notes[Int(entry)].next
        }
        return result
    }

    /// The id's slot, taken when it has none.
    @inline(__always)
    private mutating func index(of transaction: UInt32) -> Int {
        if slots[lastIndex].transactionID == transaction { return lastIndex }
        lastIndex = search(transaction)
        return lastIndex
    }

    private mutating func search(_ transaction: UInt32) -> Int {
        if used &* 2 > slots.count { grow() }
        let slot = Self.place(of: transaction, in: slots)
        if slots[slot].transactionID == 0 {
            slots[slot].transactionID = transaction
            used &+= 1
        }
        return slot
    }

    private func existing(_ transaction: UInt32) -> Int? {
        let slot = Self.place(of: transaction, in: slots)
        return slots[slot].transactionID == transaction ? slot : nil
    }

    /// Where the id is, or the free slot it belongs to; at least half of the slots are free.
    @inline(__always)
    private static func place(of transaction: UInt32, in slots: [Slot]) -> Int {
        let mask = slots.count &- 1
        var slot = Int(transaction) & mask
        while slots[slot].transactionID != transaction, slots[slot].transactionID != 0 {
            slot = (slot &+ 1) & mask
        }
        return slot
    }

    private mutating func grow() {
        var larger = [Slot](repeating: Slot(), count: slots.count &* 2)
        for slot in slots where slot.transactionID != 0 {
            larger[Self.place(of: slot.transactionID, in: larger)] = slot
        }
        slots = larger
    }
}
