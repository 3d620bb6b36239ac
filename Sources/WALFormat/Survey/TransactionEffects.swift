/// What a transaction, or a subtransaction, has done so far that may become an event at its commit.
package struct TransactionEffects: Hashable, Sendable, Codable {
    package var transactionID: UInt32
    package var files: [FileEffects] = []
    package var notes: [Note] = []

    package init(transactionID: UInt32) {
        self.transactionID = transactionID
    }

    /// Rows of one relation.
    package struct FileEffects: Hashable, Sendable, Codable {
        package let file: RelationFile
        package var inserts: UInt64
        package var deletes: UInt64
        package var updates: UInt64
    }

    /// A rare thing, with its record's start.
    package struct Note: Hashable, Sendable, Codable {
        package let position: LSN
        package let what: What

        package enum What: Hashable, Sendable, Codable {
            /// A relation's own file was created.
            case created(RelationFile)
            /// The relation was locked exclusively (`AccessExclusiveLock`).
            case locked(relation: UInt32)
            case rowInserted(CatalogRow)
            case rowUpdated(from: CatalogRow, to: CatalogRow)
            case rowDeleted(CatalogRow)
        }
    }

    /// A row's place in one of the catalogs that tell a drop from a rewrite.
    package struct CatalogRow: Hashable, Sendable, Codable {
        package let file: RelationFile
        /// Block and item, 6 bytes.
        package let place: UInt64
    }

    mutating func append(_ other: TransactionEffects) {
        if files.isEmpty {
            files = other.files
        } else if !other.files.isEmpty {
            var places: [RelationFile: Int] = [:]
            for (place, effects) in files.enumerated() { places[effects.file] = place }
            for effects in other.files {
                if let known = places[effects.file] {
                    files[known].inserts &+= effects.inserts
                    files[known].deletes &+= effects.deletes
                    files[known].updates &+= effects.updates
                } else {
                    files.append(effects)
                }
            }
        }
        notes += other.notes
    }
}

extension RelationFile {
    /// Files of catalogs that were never rewritten have the catalogs' own oids (pg_class.h, pg_type.h).
    private static let pgClass: UInt32 = 1259
    private static let pgType: UInt32 = 1247
    /// `FirstNormalObjectId` (transam.h).
    private static let firstNormal: UInt32 = 16384

    @inline(__always)
    var tellsDrops: Bool { number == Self.pgClass || number == Self.pgType }
    var isPgClass: Bool { number == Self.pgClass }
    var isOfCatalog: Bool { number < Self.firstNormal }
}
