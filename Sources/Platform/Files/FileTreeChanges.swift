import Glibc

extension FileTree {
    /// Puts a text under `path`, over what is there, in one step: whole for whoever reads, and not durable.
    ///
    /// For what means nothing after the host's crash: see `DurableFile.replace`.
    package static func replace(_ path: String, text: String, mode: UInt32 = 0o600) throws(SystemError) {
        let temporary = DurableFile.temporaryName(for: path)
        do throws(SystemError) {
            let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
            try file.writeAll(Array(text.utf8))
            try checkedCall(fchmod(file.raw, mode), "set the mode of", path)
            try file.close()
            try checkedCall(rename(temporary, path), "rename \(temporary) to", path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Removes a file or link; one that is not there is fine.
    ///
    /// Not durable: see `DurableFile.remove`.
    package static func removeFile(_ path: String) throws(SystemError) {
        guard unlink(path) != 0, errno != ENOENT else { return }
        throw SystemError(call: "remove", errno: errno, path: path)
    }

    package static func isSymbolicLink(_ path: String) -> Bool {
        (try? kind(path)) == .symbolicLink
    }

    /// Points a symbolic link elsewhere, in one step.
    package static func replaceLink(_ path: String, target: String) throws(SystemError) {
        let temporary = DurableFile.temporaryName(for: path)
        try makeLink(temporary, to: target)
        do throws(SystemError) {
            try DurableFile.rename(temporary, path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    package static func changeOwner(_ path: String, uid: UInt32, gid: UInt32) throws(SystemError) {
        try checkedCall(lchown(path, uid, gid), "set the owner of", path)
    }

    /// The path from the root, by this process's working directory; links are not followed.
    package static func absolute(_ path: String) -> String {
        let joined: String
        if path.hasPrefix("/") {
            joined = path
        } else {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let here = getcwd(&buffer, buffer.count).map { String(cString: $0) } ?? "/"
            joined = FilePath.join(here, path)
        }
        var components: [Substring] = []
        for component in joined.split(separator: "/") where component != "." {
            if component == ".." { _ = components.popLast() } else { components.append(component) }
        }
        return "/" + components.joined(separator: "/")
    }
}
