import CPlatform
import Glibc

/// Which drivers work in a directory: each is tried there.
package enum StorageProbe {
    /// The driver of that `kindName`, nil for an unknown one.
    package static func driver(named name: String) -> (any StorageDriver)? {
        let known: [any StorageDriver] = [BtrfsDriver(), ReflinkDriver(), CopyDriver()]
        return known.first { $0.kindName == name }
    }

    /// The drivers that work in the directory `path`, the best first; the copy always does.
    /// - Throws: what keeps us from writing there at all.
    package static func drivers(at path: String) throws(SystemError) -> [any StorageDriver] {
        let place = FilePath.join(path, ".pgarchive-probe-\(getpid())-\(TemporaryCounter.next())")
        try checkedCall(mkdir(place, 0o700), "create directory", place)
        defer { try? BtrfsDriver().deleteVolume(place) }
        var working: [any StorageDriver] = []
        let candidates: [any StorageDriver] = [BtrfsDriver(), ReflinkDriver()]
        for driver in candidates where works(driver, in: place) { working.append(driver) }
        return working + [CopyDriver()]
    }

    private static func works(_ driver: any StorageDriver, in place: String) -> Bool {
        let volume = FilePath.join(place, "\(driver.kindName)-volume")
        let copy = FilePath.join(place, "\(driver.kindName)-copy")
        do throws(SystemError) {
            try driver.createVolume(volume)
            let file = try Descriptor.open(FilePath.join(volume, "file"), O_WRONLY | O_CREAT)
            try file.writeAll([UInt8](repeating: 1, count: 8192))
            try driver.copyVolume(from: volume, to: copy)
            try driver.freeze(copy)
            try driver.deleteVolume(copy)
            try driver.deleteVolume(volume)
            return true
        } catch {
            return false
        }
    }
}
