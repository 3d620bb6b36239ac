import ArchiveModel
import Platform

extension CloneRecord {
    /// Of a look nothing need outlive its host; the files of a clone in the making are synced once, before the record
    /// that says that it is made.
    var isWithoutSync: Bool { isLook || isUnfinished || state == .creating }

    /// Puts a text under the path of one of its files: durably where that is due.
    func replace(_ path: String, _ text: String) throws(SystemError) {
        if isWithoutSync {
            try FileTree.replace(path, text: text)
        } else {
            try DurableFile.replace(path, text: text)
        }
    }
}
