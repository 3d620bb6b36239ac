import CPlatform
package import Glibc

/// Reading, writing and syncing. Interrupted calls are taken up again; short writes are continued.
extension Descriptor {
    /// Up to `buffer.count` bytes; 0 at the end of the file.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        Int(try checked(pgarchive_read(raw, buffer.baseAddress, buffer.count), "read", path))
    }

    /// Fills `buffer` from the byte `offset` on; fewer bytes only where the file ends.
    package func readFull(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws(SystemError) -> Int {
        Int(try checked(pgarchive_pread_full(raw, buffer.baseAddress, buffer.count, offset), "read", path))
    }

    /// `count` bytes from `offset` on; fewer only where the file ends.
    package func bytes(at offset: Int64 = 0, count: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: max(0, count)) { buffer, filled in
            do throws(SystemError) {
                filled = try readFull(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    package func writeAll(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try checked(pgarchive_write_full(raw, bytes.baseAddress, bytes.count), "write", path)
    }

    package func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(SystemError) {
        try checked(pgarchive_pwrite_full(raw, bytes.baseAddress, bytes.count, offset), "write", path)
    }

    package func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        let result = bytes.withUnsafeBytes { pgarchive_write_full(raw, $0.baseAddress, $0.count) }
        try checked(result, "write", path)
    }

    package func writeAll(_ bytes: [UInt8], at offset: Int64) throws(SystemError) {
        let result = bytes.withUnsafeBytes { pgarchive_pwrite_full(raw, $0.baseAddress, $0.count, offset) }
        try checked(result, "write", path)
    }

    /// Makes data and size durable (fsync).
    ///
    /// After a failure the data is not durable, and a second call proves nothing.
    package func sync() throws(SystemError) { try checked(pgarchive_fsync(raw), "sync", path) }

    /// `fdatasync`: the data and the size, not the times.
    package func syncData() throws(SystemError) { try checked(pgarchive_fdatasync(raw), "sync", path) }

    /// `syncfs`: everything of the filesystem this descriptor is on.
    package func syncFilesystem() throws(SystemError) { try checked(pgarchive_syncfs(raw), "sync", path) }

    /// Drops what the page cache holds of the file: what is read next is what the disk has.
    ///
    /// After a sync only, since unwritten pages stay.
    package func dropCache() throws(SystemError) {
        try checked(pgarchive_drop_cache(raw, 0, 0), "drop the cache of", path)
    }

    /// Whether reads and writes go past the page cache (O_DIRECT): memory, offsets and sizes must be aligned then.
    ///
    /// - Throws: EINVAL (`isUnsupported`) where the filesystem cannot.
    package func setDirect(_ direct: Bool) throws(SystemError) {
        try checked(pgarchive_set_direct(raw, direct), "set flags of", path)
    }

    /// Reserves disk space for the first `bytes` bytes and extends the file to them.
    package func allocate(_ bytes: Int64) throws(SystemError) {
        try checked(pgarchive_allocate(raw, bytes), "allocate space for", path)
    }

    package func truncate(to bytes: Int64) throws(SystemError) {
        try checkedCall(ftruncate(raw, Int(bytes)), "truncate", path)
    }

    package func status() throws(SystemError) -> stat {
        var status = stat()
        try checkedCall(fstat(raw, &status), "examine", path)
        return status
    }

    /// The file's size in bytes.
    package func size() throws(SystemError) -> Int64 { Int64(try status().st_size) }
}
