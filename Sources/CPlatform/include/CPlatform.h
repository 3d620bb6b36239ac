// The part of Linux that Glibc, as Swift sees it, lacks. One file per theme behind it.
// Every function that can fail returns a negative errno, so that no errno is lost between C and Swift;
// calls that a signal can interrupt are taken up again here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// files.c
int pgarchive_open(int directory, const char *path, int flags, mode_t mode);
// A file without a name, in memory; or -errno.
int pgarchive_memory_file(const char *name);
int64_t pgarchive_read(int fd, void *buffer, size_t size);
int64_t pgarchive_read_full(int fd, void *buffer, size_t size);
int64_t pgarchive_pread_full(int fd, void *buffer, size_t size, int64_t offset);
int pgarchive_write_full(int fd, const void *buffer, size_t size);
int pgarchive_pwrite_full(int fd, const void *buffer, size_t size, int64_t offset);
int64_t pgarchive_write_some(int fd, const void *buffer, size_t size);
int64_t pgarchive_write_quietly(int fd, const void *buffer, size_t size);
int pgarchive_fsync(int fd);
int pgarchive_fdatasync(int fd);
int pgarchive_syncfs(int fd);
// Only begins it: the fsync that follows has less to wait for.
int pgarchive_start_writeback(int fd, int64_t offset, int64_t size);
int pgarchive_wait_writeback(int fd, int64_t offset, int64_t size);
int pgarchive_drop_cache(int fd, int64_t offset, int64_t size);
int pgarchive_allocate(int fd, int64_t size);
int pgarchive_rename_noreplace(const char *from, const char *to);
int pgarchive_rename_exchange(const char *from, const char *to);
int pgarchive_try_lock(int fd, bool shared);
int pgarchive_unlock(int fd);
// Whether somebody else holds it alone: 1 or 0; takes nothing, so nobody who takes it meanwhile is refused.
int pgarchive_is_locked(int fd);
int pgarchive_set_flags(int fd, bool nonblocking);
int pgarchive_set_direct(int fd, bool direct);
int pgarchive_set_cloexec(int fd, bool cloexec);
int pgarchive_pipe(int ends[2]);
const char *pgarchive_error_text(int error);

// copies.c
int pgarchive_clone_file(int from, int to);
int64_t pgarchive_copy_range(int from, int to, int64_t offset, int64_t size);
int64_t pgarchive_copy_sparse(int from, int to, int64_t size);
int pgarchive_exclusive_bytes(int fd, uint64_t *bytes);
int pgarchive_copy_nocow(int from, int to);
int pgarchive_btrfs_defragment(int fd);

// space.c
struct pgarchive_space {
    uint64_t total_bytes;
    uint64_t free_bytes;
    int64_t type;
    uint64_t device;
};
int pgarchive_space_at(const char *path, struct pgarchive_space *space);
int pgarchive_umount(const char *path);

// events.c
int pgarchive_event_create(void);
int pgarchive_event_signal(int fd);
int64_t pgarchive_event_drain(int fd);
int pgarchive_timer_create(void);
int pgarchive_timer_set(int fd, int64_t first_nanoseconds, int64_t interval_nanoseconds);
int pgarchive_signal_create(const int *signals, size_t count);
int pgarchive_signal_read(int fd);
int pgarchive_signal_block(const int *signals, size_t count, bool block);
int pgarchive_signal_ignore(int signal);
int pgarchive_signal_ends(int signal);
int pgarchive_watch_create(void);
int pgarchive_watch_add(int fd, const char *path, uint32_t mask);
int pgarchive_watch_remove(int fd, int watch);

// processes.c
int pgarchive_pidfd_open(pid_t pid);
int pgarchive_pidfd_signal(int pidfd, int signal);
// Reaps a child. 1: ended, kind 0 exited with value, 1 killed by signal value; 0: still runs (only when !block).
int pgarchive_wait_child(pid_t pid, bool block, int *kind, int *value);
int pgarchive_thread_name(const char *name);
int pgarchive_become(uid_t uid, gid_t gid, const gid_t *groups, size_t count);
int pgarchive_die_with_parent(int signal, pid_t expected_parent);

// spawn.c
enum pgarchive_spawn_step {
    PGARCHIVE_STEP_PIPE,
    PGARCHIVE_STEP_FORK,
    PGARCHIVE_STEP_SESSION,
    PGARCHIVE_STEP_GROUPS,
    PGARCHIVE_STEP_USER,
    PGARCHIVE_STEP_DIRECTORY,
    PGARCHIVE_STEP_DESCRIPTORS,
    PGARCHIVE_STEP_PARENT,
    PGARCHIVE_STEP_EXECUTE,
};

struct pgarchive_spawn {
    const char *executable;
    char *const *arguments;
    char *const *environment;
    const char *directory; // NULL: the caller's
    int standard[3];       // descriptors of the caller
    const int *kept;       // descriptors >= 3 that the child keeps under the same number
    size_t kept_count;
    bool new_session;
    bool change_user;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    int parent_death_signal; // 0: none
    int umask;               // negative: the caller's
};
// The child's pid, or a negative errno with *step set to what failed.
pid_t pgarchive_spawn_process(const struct pgarchive_spawn *spawn, int *step);
