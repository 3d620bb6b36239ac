/// The words by which pg_waldump names what a record does (the `*_identify` functions of rmgrdesc).
package enum RecordKind {
    /// Nil for records of extensions, and for what no supported server writes.
    package static func name(_ record: WALRecord, major: PostgresMajor) -> String? {
        let opcode = record.info & 0xF0
        switch record.resourceManager {
        case ResourceManager.transaction: return word(transaction, record.info & 0x70)
        case ResourceManager.heap, ResourceManager.heap2:
            let isHeap = record.resourceManager == ResourceManager.heap
            guard let name = word(isHeap ? heap : heap2(major), opcode & 0x70) else { return nil }
            let initialises = isHeap ? ["INSERT", "UPDATE", "HOT_UPDATE"] : ["MULTI_INSERT"]
            return opcode & 0x80 != 0 && initialises.contains(name) ? name + "+INIT" : name
        case 16...18, 20, 21:
            // SP-GiST, BRIN (which has a flag like heap's), commit timestamps, generic records, logical messages.
            let isBRIN = record.resourceManager == 17
            guard let name = word(small[record.resourceManager] ?? [], isBRIN ? opcode & 0x70 : opcode) else {
                return nil
            }
            return isBRIN && opcode & 0x80 != 0 && name != "CREATE_INDEX" ? name + "+INIT" : name
        default: return word(large(major)[record.resourceManager] ?? [], opcode)
        }
    }

    private static func word(_ words: [String], _ opcode: UInt8) -> String? {
        let index = Int(opcode >> 4)
        guard index < words.count, !words[index].isEmpty else { return nil }
        return words[index]
    }

    /// By the opcode's upper four bits.
    private static let transaction = [
        "COMMIT", "PREPARE", "ABORT", "COMMIT_PREPARED", "ABORT_PREPARED", "ASSIGNMENT", "INVALIDATION",
    ]
    private static let heap = [
        "INSERT", "DELETE", "UPDATE", "TRUNCATE", "HOT_UPDATE", "HEAP_CONFIRM", "LOCK", "INPLACE",
    ]

    private static func heap2(_ major: PostgresMajor) -> [String] {
        major >= .v17
            ? [
                "REWRITE", "PRUNE_ON_ACCESS", "PRUNE_VACUUM_SCAN", "PRUNE_VACUUM_CLEANUP", "VISIBLE", "MULTI_INSERT",
                "LOCK_UPDATED", "NEW_CID",
            ]
            : [
                "REWRITE", "PRUNE", "VACUUM", "FREEZE_PAGE", "VISIBLE", "MULTI_INSERT", "LOCK_UPDATED", "NEW_CID",
            ]
    }

    private static let small: [UInt8: [String]] = [
        16: [
            "", "ADD_LEAF", "MOVE_LEAFS", "ADD_NODE", "SPLIT_TUPLE", "PICKSPLIT", "VACUUM_LEAF", "VACUUM_ROOT",
            "VACUUM_REDIRECT",
        ],
        17: ["CREATE_INDEX", "INSERT", "UPDATE", "SAMEPAGE_UPDATE", "REVMAP_EXTEND", "DESUMMARIZE"],
        18: ["ZEROPAGE", "TRUNCATE"],
        20: ["Generic"],
        21: ["MESSAGE"],
    ]

    private static func large(_ major: PostgresMajor) -> [UInt8: [String]] {
        var words = common
        if major >= .v17 {
            words[0]?[14] = "CHECKPOINT_REDO"
        }
        return words
    }

    private static let common: [UInt8: [String]] = [
        0: [
            "CHECKPOINT_SHUTDOWN", "CHECKPOINT_ONLINE", "NOOP", "NEXTOID", "SWITCH", "BACKUP_END", "PARAMETER_CHANGE",
            "RESTORE_POINT", "FPW_CHANGE", "END_OF_RECOVERY", "FPI_FOR_HINT", "FPI", "", "OVERWRITE_CONTRECORD", "",
        ],
        2: ["", "CREATE", "TRUNCATE"],
        3: ["ZEROPAGE", "TRUNCATE"],
        4: ["CREATE_FILE_COPY", "CREATE_WAL_LOG", "DROP"],
        5: ["CREATE", "DROP"],
        6: ["ZERO_OFF_PAGE", "ZERO_MEM_PAGE", "CREATE_ID", "TRUNCATE_ID"],
        7: ["UPDATE"],
        8: ["LOCK", "RUNNING_XACTS", "INVALIDATIONS"],
        11: [
            "INSERT_LEAF", "INSERT_UPPER", "INSERT_META", "SPLIT_L", "SPLIT_R", "INSERT_POST", "DEDUP", "DELETE",
            "UNLINK_PAGE", "UNLINK_PAGE_META", "NEWROOT", "MARK_PAGE_HALFDEAD", "VACUUM", "REUSE_PAGE",
            "META_CLEANUP",
        ],
        12: [
            "INIT_META_PAGE", "INIT_BITMAP_PAGE", "INSERT", "ADD_OVFL_PAGE", "SPLIT_ALLOCATE_PAGE", "SPLIT_PAGE",
            "SPLIT_COMPLETE", "MOVE_PAGE_CONTENTS", "SQUEEZE_PAGE", "DELETE", "SPLIT_CLEANUP", "UPDATE_META_PAGE",
            "VACUUM_ONE_PAGE",
        ],
        13: [
            "", "CREATE_PTREE", "INSERT", "SPLIT", "VACUUM_PAGE", "DELETE_PAGE", "UPDATE_META_PAGE", "INSERT_LISTPAGE",
            "DELETE_LISTPAGE", "VACUUM_DATA_LEAF_PAGE",
        ],
        14: ["PAGE_UPDATE", "DELETE", "PAGE_REUSE", "PAGE_SPLIT", "", "", "PAGE_DELETE", "ASSIGN_LSN"],
        15: ["LOG"],
        19: ["SET", "DROP"],
    ]
}
