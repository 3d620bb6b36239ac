#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int pgarchive_clone_file(int from, int to) {
    for (;;) {
        if (ioctl(to, FICLONE, from) == 0) return 0;
        if (errno != EINTR) return -errno;
    }
}

// copy_file_range is missing between some filesystems and in some containers: then bytes go through a buffer.
static int64_t copy_by_buffer(int from, int to, int64_t offset, int64_t size) {
    enum { chunk = 256 * 1024 };
    char buffer[chunk];
    int64_t done = 0;
    while (done < size) {
        size_t want = size - done < (int64_t)chunk ? (size_t)(size - done) : (size_t)chunk;
        int64_t got = pgarchive_pread_full(from, buffer, want, offset + done);
        if (got < 0) return got;
        if (got == 0) break;
        int failed = pgarchive_pwrite_full(to, buffer, (size_t)got, offset + done);
        if (failed) return failed;
        done += got;
    }
    return done;
}

// Bytes copied; fewer than asked for when the source ended (it may shrink meanwhile).
int64_t pgarchive_copy_range(int from, int to, int64_t offset, int64_t size) {
    int64_t done = 0;
    while (done < size) {
        off_t in = offset + done, out = offset + done;
        ssize_t got = copy_file_range(from, &in, to, &out, (size_t)(size - done), 0);
        if (got > 0) {
            done += got;
        } else if (got == 0) {
            break;
        } else if (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) {
            int64_t rest = copy_by_buffer(from, to, offset + done, size - done);
            return rest < 0 ? rest : done + rest;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return done;
}

// Copies the data of 0..<size and leaves the holes; the target must be empty. The size reached.
int64_t pgarchive_copy_sparse(int from, int to, int64_t size) {
    int64_t position = 0;
    while (position < size) {
        off_t data = lseek(from, position, SEEK_DATA);
        if (data < 0 && errno == ENXIO) break; // nothing but a hole up to the end
        if (data < 0) {
            if (errno != EINVAL) return -errno;
            data = position;
        }
        if (data >= size) break;
        off_t hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0 && errno == ENXIO) break;
        if (hole < 0 || hole > size) hole = size;
        int64_t copied = pgarchive_copy_range(from, to, data, hole - data);
        if (copied < 0) return copied;
        position = data + copied;
        if (copied < hole - data) break;
    }
    struct stat status;
    if (fstat(from, &status) != 0) return -errno;
    int64_t end = status.st_size < size ? status.st_size : size;
    if (end < position) end = position;
    return ftruncate(to, end) == 0 ? end : -errno;
}

// Bytes of extents that no other file or snapshot shares. What a filesystem keeps beyond the end of a file for writes
// to come (xfs does) is not counted: it goes away by itself.
int pgarchive_exclusive_bytes(int fd, uint64_t *bytes) {
    struct stat status;
    if (fstat(fd, &status) != 0) return -errno;
    uint64_t block = status.st_blksize > 0 ? (uint64_t)status.st_blksize : 4096;
    uint64_t end = ((uint64_t)status.st_size + block - 1) / block * block;
    enum { extents_at_once = 256 };
    union {
        struct fiemap map;
        char space[sizeof(struct fiemap) + extents_at_once * sizeof(struct fiemap_extent)];
    } request;
    uint64_t start = 0;
    *bytes = 0;
    for (;;) {
        memset(&request.map, 0, sizeof(struct fiemap));
        request.map.fm_start = start;
        request.map.fm_length = FIEMAP_MAX_OFFSET - start;
        request.map.fm_extent_count = extents_at_once;
        if (ioctl(fd, FS_IOC_FIEMAP, &request.map) != 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        struct fiemap_extent *extents = request.map.fm_extents;
        uint32_t count = request.map.fm_mapped_extents;
        for (uint32_t i = 0; i < count; i++) {
            if (extents[i].fe_logical >= end) return 0;
            uint64_t length = extents[i].fe_length;
            if (length > end - extents[i].fe_logical) length = end - extents[i].fe_logical;
            if (!(extents[i].fe_flags & FIEMAP_EXTENT_SHARED)) *bytes += length;
            if (extents[i].fe_flags & FIEMAP_EXTENT_LAST) return 0;
            start = extents[i].fe_logical + extents[i].fe_length;
        }
        if (count == 0) return 0;
    }
}

int pgarchive_btrfs_defragment(int fd) { return ioctl(fd, BTRFS_IOC_DEFRAG, NULL) == 0 ? 0 : -errno; }

// A clone is refused between a file with checksums and one without (chattr +C), so an empty target takes that over.
int pgarchive_copy_nocow(int from, int to) {
    int flags = 0, target = 0;
    if (ioctl(from, FS_IOC_GETFLAGS, &flags) != 0 || !(flags & FS_NOCOW_FL)) return 0;
    if (ioctl(to, FS_IOC_GETFLAGS, &target) != 0) return -errno;
    target |= FS_NOCOW_FL;
    return ioctl(to, FS_IOC_SETFLAGS, &target) == 0 ? 0 : -errno;
}
