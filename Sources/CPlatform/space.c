#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

int pgarchive_space_at(const char *path, struct pgarchive_space *space) {
    struct statfs filesystem;
    struct stat status;
    while (statfs(path, &filesystem) != 0) {
        if (errno != EINTR) return -errno;
    }
    if (stat(path, &status) != 0) return -errno;
    uint64_t unit = (uint64_t)(filesystem.f_frsize ? filesystem.f_frsize : filesystem.f_bsize);
    space->total_bytes = filesystem.f_blocks * unit;
    space->free_bytes = filesystem.f_bavail * unit;
    space->type = filesystem.f_type;
    space->device = status.st_dev;
    return 0;
}

int pgarchive_umount(const char *path) { return umount2(path, UMOUNT_NOFOLLOW) == 0 ? 0 : -errno; }
