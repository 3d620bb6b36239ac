import ArchiveModel
import Platform

extension CloneRecord {
    /// Puts a text under the path of one of its files: durably, but for a look, of which nothing need outlive its host,
    /// and for a clone in the making, whose files are synced once, before the record that says that it is made.
    func replace(_ path: String, _ text: String) throws(SystemError) {
        if isLook || state == .creating {
            try FileTree.replace(path, text: text)
        } else {
            try DurableFile.replace(path, text: text)
        }
    }
}
