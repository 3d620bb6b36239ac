import CPlatform
import Glibc

/// Copies a tree file by file: modes, owners, times and links; hard links become files of their own, sockets and
/// other special files are left out.
///
/// Works by descriptor, so that a link swapped in meanwhile leads nowhere.
struct TreeCopy {
    enum Method { case reflink, data }

    let method: Method
    let options: CopyOptions
    /// Told the length of each file once it is copied.
    var copied: (UInt64) -> Void = { _ in }

    /// Copies `from` to `to`, which must not exist.
    /// - Throws: EXDEV at something mounted inside the source, since leaving it out would be a silent loss.
    func copy(from: String, to: String) throws(SystemError) {
        let source = try Descriptor.open(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try checkedCall(mkdir(to, 0o700), "create directory", to)
        try copy(source, into: to)
    }

    /// Copies what is in `from` into the directory `to`, where nothing of it may be yet.
    func copy(from: String, into to: String) throws(SystemError) {
        try copy(try Descriptor.open(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), into: to)
    }

    private func copy(_ source: borrowing Descriptor, into to: String) throws(SystemError) {
        let target = try Descriptor.open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        let status = try source.status()
        try copyEntries(of: source, to: target, below: "", device: status.st_dev)
        try FaultPoint.pass("copy.beforeLast")
        for path in options.copyLast {
            try copyLast(path, from: source, to: target)
        }
        try copyAttributes(status, to: target)
    }

    private func copyEntries(
        of source: borrowing Descriptor,
        to target: borrowing Descriptor,
        below relative: String,
        device: dev_t
    ) throws(SystemError) {
        for name in try source.names().sorted() {
            let path = relative.isEmpty ? name : FilePath.join(relative, name)
            if options.copyLast.contains(path) { continue }
            try passingOverVanished { () throws(SystemError) in
                try copyEntry(name, at: path, from: source, to: target, device: device)
            }
        }
    }

    private func copyEntry(
        _ name: String,
        at path: String,
        from source: borrowing Descriptor,
        to target: borrowing Descriptor,
        device: dev_t
    ) throws(SystemError) {
        var status = stat()
        let shown = FilePath.join(source.path ?? "", name)
        try checkedCall(fstatat(source.raw, name, &status, AT_SYMLINK_NOFOLLOW), "examine", shown)
        switch FileKind(mode: status.st_mode) {
        case .regular: try copyFile(name, from: source, to: target)
        case .symbolicLink: try copyLink(name, status, from: source, to: target)
        case .directory:
            guard status.st_dev == device else {
                throw SystemError(call: "copy what is mounted at", errno: EXDEV, path: shown)
            }
            let child = try Descriptor.open(name, in: source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            try checkedCall(mkdirat(target.raw, name, 0o700), "create directory", name)
            let copy = try Descriptor.open(name, in: target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            if !options.emptyDirectories.contains(path) {
                try copyEntries(of: child, to: copy, below: path, device: device)
            }
            try copyAttributes(status, to: copy)
        case .other: break
        }
    }

    private func copyFile(
        _ name: String,
        from source: borrowing Descriptor,
        to target: borrowing Descriptor
    ) throws(SystemError) {
        let file = try Descriptor.open(name, in: source, O_RDONLY | O_NOFOLLOW)
        let status = try file.status()
        try FaultPoint.pass("copy.beforeFile")
        if options.interrupt >= 0, try Poll.wait(for: options.interrupt, timeoutMilliseconds: 0) {
            throw SystemError(call: "copy", errno: EINTR, path: file.path)
        }
        let copy = try Descriptor.open(name, in: target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
        switch method {
        case .reflink:
            try checked(pgarchive_copy_nocow(file.raw, copy.raw), "set flags of", copy.path)
            try checked(pgarchive_clone_file(file.raw, copy.raw), "clone", file.path)
        case .data:
            let size = try checked(pgarchive_copy_sparse(file.raw, copy.raw, Int64(status.st_size)), "copy", file.path)
            guard size == status.st_size || options.tolerateVanishing else {
                throw SystemError(call: "copy, since it shrank,", errno: ESTALE, path: file.path)
            }
        }
        try copyAttributes(status, to: copy)
        try copy.close()
        copied(UInt64(max(0, status.st_size)))
    }

    private func copyLink(
        _ name: String,
        _ status: stat,
        from source: borrowing Descriptor,
        to target: borrowing Descriptor
    ) throws(SystemError) {
        var text = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlinkat(source.raw, name, &text, Int(PATH_MAX))
        try checkedCall(Int32(count), "read link", FilePath.join(source.path ?? "", name))
        let shown = FilePath.join(target.path ?? "", name)
        try checkedCall(symlinkat(text, target.raw, name), "create link", shown)
        if geteuid() == 0 {
            let flags = AT_SYMLINK_NOFOLLOW
            try checkedCall(fchownat(target.raw, name, status.st_uid, status.st_gid, flags), "set the owner of", shown)
        }
    }

    private func copyLast(
        _ path: String,
        from source: borrowing Descriptor,
        to target: borrowing Descriptor
    ) throws(SystemError) {
        let parent = FilePath.parent(of: path)
        try passingOverVanished { () throws(SystemError) in
            let from = try Descriptor.open(parent, in: source, O_RDONLY | O_DIRECTORY)
            let to = try Descriptor.open(parent, in: target, O_RDONLY | O_DIRECTORY)
            try copyFile(FilePath.name(of: path), from: from, to: to)
            try copyAttributes(try from.status(), to: to)
        }
    }

    private func passingOverVanished(_ body: () throws(SystemError) -> Void) throws(SystemError) {
        do throws(SystemError) { try body() } catch {
            guard options.tolerateVanishing, error.isNotFound else { throw error }
        }
    }

    private func copyAttributes(_ status: stat, to copy: borrowing Descriptor) throws(SystemError) {
        let made = try copy.status()
        if made.st_uid != status.st_uid || made.st_gid != status.st_gid {
            try checkedCall(fchown(copy.raw, status.st_uid, status.st_gid), "set the owner of", copy.path)
        }
        try checkedCall(fchmod(copy.raw, status.st_mode & 0o7777), "set the mode of", copy.path)
        try checkedCall(futimens(copy.raw, [status.st_atim, status.st_mtim]), "set the times of", copy.path)
    }
}

extension FileTree {
    /// Copies what is in a directory into another one, which is there already; by reference where both are on one
    /// filesystem that can do that.
    /// - Parameter copied: is told the length of each file once it is copied.
    package static func copyContents(
        of directory: String,
        into target: String,
        options: CopyOptions = CopyOptions(),
        copied: @escaping (UInt64) -> Void = { _ in }
    ) throws(SystemError) {
        try TreeCopy(method: .data, options: options, copied: copied).copy(from: directory, into: target)
    }
}
