import Glibc
import Platform

/// What helps when a system call has failed, by its errno.
enum SystemHint {
    static func text(_ error: SystemError) -> String? {
        switch error.errno {
        case EACCES, EPERM: permission(error.path)
        case ENOSPC, EDQUOT:
            "free some space with 'pgarchive snapshot expire', 'pgarchive clone delete' or "
                + "'pgarchive cron compress-wal-archive'"
        case EROFS:
            "the filesystem is mounted read-only, perhaps after a fault of the disk: see 'dmesg', then remount it"
        case EIO: "the disk, or the way to it, is faulty: see 'dmesg' before anything else is written there"
        case ESTALE: "the network filesystem has lost it: mount it again"
        case ENOENT: "check that it is there, and that its filesystem is mounted"
        case EEXIST, ENOTEMPTY: "choose another name, or move away what is there"
        case ENOTDIR, EISDIR, ELOOP: "something else is in its place: look at it with 'ls -l', and move it away"
        case ENAMETOOLONG: "choose a shorter name or directory"
        case EMFILE: "raise the limit of open files: 'ulimit -n', or LimitNOFILE= in the systemd unit"
        case ENFILE: "the host has too many open files: raise fs.file-max with 'sysctl'"
        case ENOMEM: "the host is short of memory: lower shared_buffers of the clones, or stop some"
        case EAGAIN: "the host has too many processes: raise the limit ('ulimit -u', TasksMax= of systemd)"
        case EBUSY, ETXTBSY: "something still uses it: 'fuser -v' or 'fuser -vm' shows what"
        case EFBIG: "raise the limit of file sizes: 'ulimit -f', or LimitFSIZE= in the systemd unit"
        default: nil
        }
    }

    /// Who may not, and whose it is: the file, or the nearest directory above that can be looked at.
    private static func permission(_ path: String?) -> String {
        let user = (try? SystemUser.current().name) ?? "\(geteuid())"
        var place = path ?? ""
        while place.hasPrefix("/"), place != "/" {
            if let uid = try? FileTree.status(place).uid {
                let owner = (try? SystemUser.withID(uid))??.name ?? "\(uid)"
                guard owner != user else { break }
                return "user '\(user)' may not; '\(place)' belongs to '\(owner)': run it as '\(owner)' or as root, "
                    + "which becomes the container's owner"
            }
            place = FilePath.parent(of: place)
        }
        return "user '\(user)' may not: look at the modes of the directories above it, or run it as root, "
            + "which becomes the container's owner"
    }
}
