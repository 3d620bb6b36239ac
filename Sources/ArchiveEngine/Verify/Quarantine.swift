import Glibc
import Platform
import WALStore

/// Where files of an archive go that another has taken the place of: kept, and never deleted by us.
struct Quarantine {
    let archive: String

    private var directory: String { FilePath.join(archive, WALDirectory.quarantineName) }
    var lockFile: String { FilePath.join(directory, ".lock") }

    func make() throws(SystemError) {
        try FileTree.makeDirectory(directory)
        try DurableFile.syncDirectory(archive)
    }

    /// Gives a file of the archive a second name here, durably; a second call for the same file does nothing.
    ///
    /// - Returns: the path of the one that is kept.
    func keep(_ file: String) throws(SystemError) -> String {
        let path = FilePath.join(archive, file)
        let inode = try FileTree.status(path).inode
        for number in 1...100_000 {
            let target = FilePath.join(directory, "\(file).\(number)")
            do throws(SystemError) {
                try DurableFile.linkNew(path, target)
                return target
            } catch {
                guard error.isTaken else { throw error }
                if try FileTree.status(target).inode == inode {
                    try DurableFile.syncDirectory(directory)
                    return target
                }
            }
        }
        throw SystemError(call: "find a free name for", errno: EEXIST, path: path)
    }
}
