/// How a tree is copied where it cannot be snapshotted in one step.
package struct CopyOptions: Sendable, Hashable {
    /// Files copied after all others, relative to the tree.
    package var copyLast: [String]
    /// Directories that are there in the copy, but empty; relative to the tree.
    package var emptyDirectories: [String]
    /// The source is in use: files may vanish or shrink meanwhile, and that is fine.
    package var tolerateVanishing: Bool
    /// A descriptor which, once readable, ends the copy with EINTR before the next file; negative for none.
    package var interrupt: Int32

    package init(
        copyLast: [String] = [],
        emptyDirectories: [String] = [],
        tolerateVanishing: Bool = false,
        interrupt: Int32 = -1
    ) {
        self.interrupt = interrupt
        self.copyLast = copyLast
        self.emptyDirectories = emptyDirectories
        self.tolerateVanishing = tolerateVanishing
    }
}

/// How volumes (directory trees that are copied as a whole) are kept on one kind of filesystem.
///
/// The contract, which one conformance suite checks for all drivers:
/// - a copy is independent: later writes to either side are never seen on the other;
/// - nothing is overwritten: `createVolume` and `copyVolume` fail with EEXIST where something is;
/// - after a failed or killed `copyVolume`, `deleteVolume` removes what it left, and may itself be killed and repeated;
/// - what `sync` has returned for survives a power cut.
package protocol StorageDriver: Sendable {
    /// "btrfs", "reflink" or "copy": stands in container.json.
    var kindName: String { get }
    /// Whether a copy shows one moment, so that one of a running server is crash consistent.
    var isAtomic: Bool { get }

    /// Makes an empty volume, mode 0700.
    func createVolume(_ path: String) throws(SystemError)
    /// Makes a writable copy, also of a frozen volume. EEXIST when `to` is there.
    func copyVolume(from: String, to: String, options: CopyOptions) throws(SystemError)
    /// Makes a volume read-only where the filesystem can.
    func freeze(_ path: String) throws(SystemError)
    /// Removes a volume, frozen or half made; none there is fine.
    func deleteVolume(_ path: String) throws(SystemError)
    /// Space that only this volume holds, in bytes: what deleting it would give back. Reads the whole tree's metadata.
    /// Nil where the filesystem cannot say.
    func exclusiveBytes(_ path: String) throws(SystemError) -> UInt64?
    /// Makes all that was written to the volume's filesystem so far durable.
    func sync(_ path: String) throws(SystemError)
    /// Puts scattered files together, where that helps. Files then share nothing with snapshots any more.
    func defragment(_ path: String) throws(SystemError)
}

extension StorageDriver {
    package func copyVolume(from: String, to: String) throws(SystemError) {
        try copyVolume(from: from, to: to, options: CopyOptions())
    }

    package func sync(_ path: String) throws(SystemError) {
        let volume = try Descriptor.open(path, 0)
        try volume.syncFilesystem()
    }

    package func freeze(_ path: String) throws(SystemError) {}

    package func defragment(_ path: String) throws(SystemError) {}
}
