#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int pgarchive_pidfd_open(pid_t pid) {
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd >= 0 ? (int)fd : -errno;
}

int pgarchive_pidfd_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 ? 0 : -errno;
}

int pgarchive_wait_child(pid_t pid, bool block, int *kind, int *value) {
    for (;;) {
        int status = 0;
        pid_t got = waitpid(pid, &status, block ? 0 : WNOHANG);
        if (got == 0) return 0;
        if (got < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        *kind = WIFEXITED(status) ? 0 : 1;
        *value = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
        return 1;
    }
}

int pgarchive_thread_name(const char *name) {
    char shortened[16]; // the kernel's limit
    strncpy(shortened, name, sizeof shortened - 1);
    shortened[sizeof shortened - 1] = 0;
    return -pthread_setname_np(pthread_self(), shortened);
}

int pgarchive_die_with_parent(int signal, pid_t expected_parent) {
    if (prctl(PR_SET_PDEATHSIG, signal) != 0) return -errno;
    return getppid() == expected_parent ? 0 : -ESRCH;
}

// For good, in all threads; the real, effective and saved ids.
int pgarchive_become(uid_t uid, gid_t gid, const gid_t *groups, size_t count) {
    if (setgroups(count, groups) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) return -errno;
    return 0;
}
