import ArchiveModel
import Platform

extension CloneRecord {
    /// Puts a text under the path of one of its files: durably, but for a look, of which nothing need outlive its host.
    func replace(_ path: String, _ text: String) throws(SystemError) {
        if isLook {
            try FileTree.replace(path, text: text)
        } else {
            try DurableFile.replace(path, text: text)
        }
    }
}
