import ArchiveTesting

/// The places between durable steps at which the sweeps kill each operation, in the order in which it passes them.
///
/// `make lint` wants every name here or in another test.
enum FaultPoints {
    /// The first is the writing of the mark itself.
    static let initialise = [
        "init.locked", "durable.beforeRename", "init.marked", "init.laid", "init.slotAsked", "init.slotMade",
        "init.afterSlot", "init.receiverStarted", "init.afterBackup", "init.beforeDone",
    ]
    static let purge = ["purge.afterSlot", "remove.beforeDirectory", "purge.beforeLast"]
    static let restore = [
        "restore.marked", "restore.copied", "clone.beforePromote", "clone.beforeCheck", "restore.recovered",
        "restore.beforeUnmark",
    ]
    /// Of a crashed server, taken into the archive segment by segment.
    static let unarchivedWAL = ["unarchived.beforeWrite", "unarchived.written", "unarchived.beforeWrite"]
    static let copyProgram = ["copy.beforeProgram", "copy.afterProgram", "copy.beforeDone"]

    static let receive = [
        "tail.sync", "segment.write", "segment.sync", "segment.beforeRename", "durable.renamed", "segment.afterRename",
    ]
    static func snapshotCreate(_ kind: TestFilesystem.Kind) -> [String] {
        ["snapshot.laid"] + copying(kind) + (kind == .btrfs ? [] : ["copy.beforeLast"])
            + ["snapshot.beforeRecord", "durable.beforeRename", "durable.renamed", "snapshot.afterRecord"]
    }
    static func snapshotDelete(_ kind: TestFilesystem.Kind) -> [String] {
        ["durable.removed", "snapshot.afterUnlisting", removing(kind), "snapshot.afterVolume"]
    }
    static func cloneCreate(_ kind: TestFilesystem.Kind) -> [String] {
        ["clone.laid", "clone.beforeCopy"] + copying(kind)
            + ["clone.copied", "clone.beforeRecord", "durable.beforeRename", "durable.renamed", "clone.afterRecord"]
    }
    static let cloneCreateStarted = [
        "clone.laid", "clone.beforeCopy", "clone.copied", "clone.afterRecord", "clone.launched", "clone.beforePromote",
        "clone.beforeRecovered", "durable.beforeRename", "durable.renamed",
    ]
    static let cloneStart = [
        "clone.beforeLaunch", "clone.launched", "clone.beforePromote", "clone.beforeCheck", "clone.beforeRecovered",
    ]
    static func cloneDuplicate(_ kind: TestFilesystem.Kind) -> [String] {
        ["clone.laid"] + copying(kind) + ["clone.copied", "clone.beforeRecord", "clone.afterRecord"]
    }
    static func cloneDelete(_ kind: TestFilesystem.Kind) -> [String] {
        [
            "durable.beforeRename", "durable.renamed", "clone.afterUnlisting", removing(kind), "clone.afterVolume",
            "clone.beforeUnlock",
        ]
    }
    static func expire(_ kind: TestFilesystem.Kind) -> [String] {
        [
            "expiry.beforeSnapshot", "snapshot.afterUnlisting", removing(kind), "snapshot.afterVolume",
            "expiry.beforeSegment", "durable.removed@2",
        ]
    }
    static let compress = ["compress.beforeRename", "durable.renamed", "compress.beforeRemove", "durable.removed"]
    static let adopt = [
        "import.unpacked", "newFile.beforeName", "newFile.afterName", "import.stored", "compress.beforeRename",
        "compress.beforeRemove",
    ]

    private static func copying(_ kind: TestFilesystem.Kind) -> [String] {
        kind == .btrfs ? ["btrfs.afterSnapshot"] : ["copy.beforeFile@20"]
    }

    private static func removing(_ kind: TestFilesystem.Kind) -> String {
        kind == .btrfs ? "btrfs.beforeDelete" : "remove.beforeDirectory@3"
    }
}
