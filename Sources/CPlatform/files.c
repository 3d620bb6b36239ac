#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int pgarchive_open(int directory, const char *path, int flags, mode_t mode) {
    for (;;) {
        int fd = openat(directory, path, flags | O_CLOEXEC, mode);
        if (fd >= 0) return fd;
        if (errno != EINTR) return -errno;
    }
}

int pgarchive_memory_file(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int64_t pgarchive_read(int fd, void *buffer, size_t size) {
    for (;;) {
        ssize_t got = read(fd, buffer, size);
        if (got >= 0) return got;
        if (errno != EINTR) return -errno;
    }
}

int64_t pgarchive_read_full(int fd, void *buffer, size_t size) {
    size_t done = 0;
    while (done < size) {
        int64_t got = pgarchive_read(fd, (char *)buffer + done, size - done);
        if (got < 0) return got;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

int64_t pgarchive_pread_full(int fd, void *buffer, size_t size, int64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, (char *)buffer + done, size - done, offset + (int64_t)done);
        if (got < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        if (got == 0) break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

int64_t pgarchive_write_some(int fd, const void *buffer, size_t size) {
    for (;;) {
        ssize_t put = write(fd, buffer, size);
        if (put >= 0) return put;
        if (errno != EINTR) return -errno;
    }
}

// A write to a pipe that nobody reads: -EPIPE, and no SIGPIPE, whatever the program does about that signal.
int64_t pgarchive_write_quietly(int fd, const void *buffer, size_t size) {
    sigset_t pipe_signal, before, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    int64_t put = pgarchive_write_some(fd, buffer, size);
    if (put == -EPIPE && !sigismember(&pending, SIGPIPE)) {
        const struct timespec now = {0};
        sigtimedwait(&pipe_signal, NULL, &now);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return put;
}

int pgarchive_write_full(int fd, const void *buffer, size_t size) {
    size_t done = 0;
    while (done < size) {
        int64_t put = pgarchive_write_some(fd, (const char *)buffer + done, size - done);
        if (put < 0) return (int)put;
        if (put == 0) return -ENOSPC;
        done += (size_t)put;
    }
    return 0;
}

// A large write to the page cache is given large pages, and in a guest whose host has taken back its free memory each
// of them has to be fetched: 60 ms instead of 15 for 16 MB (bench/run push).
static size_t longest_write(int fd, size_t size) {
    enum { cached = 64 * 1024 };
    if (size <= cached) return size;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) ? size : cached;
}

int pgarchive_pwrite_full(int fd, const void *buffer, size_t size, int64_t offset) {
    const size_t longest = longest_write(fd, size);
    size_t done = 0;
    while (done < size) {
        const size_t wanted = size - done < longest ? size - done : longest;
        ssize_t put = pwrite(fd, (const char *)buffer + done, wanted, offset + (int64_t)done);
        if (put < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        // PostgreSQL's habit too: a write that stores nothing and names no reason met a full disk.
        if (put == 0) return -ENOSPC;
        done += (size_t)put;
    }
    return 0;
}

// A failed fsync is never repeated: the kernel may have dropped the pages that it could not write.
int pgarchive_fsync(int fd) { return fsync(fd) == 0 ? 0 : -errno; }
int pgarchive_fdatasync(int fd) { return fdatasync(fd) == 0 ? 0 : -errno; }
int pgarchive_syncfs(int fd) { return syncfs(fd) == 0 ? 0 : -errno; }

int pgarchive_start_writeback(int fd, int64_t offset, int64_t size) {
    return sync_file_range(fd, offset, size, SYNC_FILE_RANGE_WRITE) == 0 ? 0 : -errno;
}

int pgarchive_wait_writeback(int fd, int64_t offset, int64_t size) {
    unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    return sync_file_range(fd, offset, size, flags) == 0 ? 0 : -errno;
}

int pgarchive_drop_cache(int fd, int64_t offset, int64_t size) {
    return -posix_fadvise(fd, offset, size, POSIX_FADV_DONTNEED);
}

int pgarchive_allocate(int fd, int64_t size) {
    for (;;) {
        if (fallocate(fd, 0, 0, size) == 0) return 0;
        if (errno != EINTR) return -errno;
    }
}

int pgarchive_rename_noreplace(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0 ? 0 : -errno;
}

int pgarchive_rename_exchange(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0 ? 0 : -errno;
}

int pgarchive_try_lock(int fd, bool shared) {
    struct flock whole = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    for (;;) {
        if (fcntl(fd, F_OFD_SETLK, &whole) == 0) return 0;
        if (errno != EINTR) return -errno;
    }
}

int pgarchive_unlock(int fd) {
    struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole) == 0 ? 0 : -errno;
}

int pgarchive_is_locked(int fd) {
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &whole) == 0 ? whole.l_type != F_UNLCK : -errno;
}

int pgarchive_set_flags(int fd, bool nonblocking) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    flags = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) == 0 ? 0 : -errno;
}

int pgarchive_set_direct(int fd, bool direct) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    flags = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
    return fcntl(fd, F_SETFL, flags) == 0 ? 0 : -errno;
}

int pgarchive_set_cloexec(int fd, bool cloexec) {
    return fcntl(fd, F_SETFD, cloexec ? FD_CLOEXEC : 0) == 0 ? 0 : -errno;
}

int pgarchive_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : -errno; }

// Never NULL; a constant, so safe from every thread.
const char *pgarchive_error_text(int error) {
    const char *text = strerrordesc_np(error);
    return text ? text : "Unknown error";
}
