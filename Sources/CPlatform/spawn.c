#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct failure {
    int step;
    int error;
};

static int settle_descriptors(const struct pgarchive_spawn *spawn) {
    int source[3];
    // Out of the way first: a source may itself be one of 0, 1, 2.
    for (int i = 0; i < 3; i++) {
        source[i] = spawn->standard[i];
        if (source[i] >= 0 && source[i] < 3 && source[i] != i) source[i] = fcntl(source[i], F_DUPFD_CLOEXEC, 3);
        if (source[i] < 0) return -1;
    }
    for (int i = 0; i < 3; i++) {
        if (source[i] == i) {
            if (fcntl(i, F_SETFD, 0) != 0) return -1;
        } else if (dup2(source[i], i) < 0) {
            return -1;
        }
    }
    // Closed by the exec and not now: the pipe for failures must last until then.
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return -1;
    for (size_t i = 0; i < spawn->kept_count; i++) {
        if (fcntl(spawn->kept[i], F_SETFD, 0) != 0) return -1;
    }
    return 0;
}

// The caller's handlers must not run in the child, and what it ignores the program should not ignore unasked.
// Past glibc, which keeps two signals to itself, and so would leave them ignored where an ancestor does that.
static void reset_signals(void) {
    // The kernel's struct sigaction, in any layout: all zero means SIG_DFL.
    const char standard[64] = {0};
    for (int signal = 1; signal < NSIG; signal++) syscall(SYS_rt_sigaction, signal, standard, NULL, sizeof(uint64_t));
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

// Runs in the child, which shares the caller's memory: only system calls, and no glibc wrapper for the ids,
// since those send signals to all threads of the caller. Returns only when something failed.
static struct failure become_program(const struct pgarchive_spawn *spawn, pid_t parent) {
    if (spawn->new_session && setsid() < 0) return (struct failure){PGARCHIVE_STEP_SESSION, errno};
    if (spawn->change_user) {
        if (syscall(SYS_setgroups, spawn->group_count, spawn->groups) != 0 ||
            syscall(SYS_setresgid, spawn->gid, spawn->gid, spawn->gid) != 0)
            return (struct failure){PGARCHIVE_STEP_GROUPS, errno};
        if (syscall(SYS_setresuid, spawn->uid, spawn->uid, spawn->uid) != 0)
            return (struct failure){PGARCHIVE_STEP_USER, errno};
    }
    if (spawn->directory && chdir(spawn->directory) != 0) return (struct failure){PGARCHIVE_STEP_DIRECTORY, errno};
    if (spawn->umask >= 0) umask((mode_t)spawn->umask);
    if (settle_descriptors(spawn) != 0) return (struct failure){PGARCHIVE_STEP_DESCRIPTORS, errno};
    if (spawn->parent_death_signal) {
        // After the change of user, which clears it. A parent that died before sends nothing any more.
        if (prctl(PR_SET_PDEATHSIG, spawn->parent_death_signal) != 0)
            return (struct failure){PGARCHIVE_STEP_PARENT, errno};
        if (getppid() != parent) return (struct failure){PGARCHIVE_STEP_PARENT, ESRCH};
    }
    reset_signals();
    execve(spawn->executable, spawn->arguments, spawn->environment);
    return (struct failure){PGARCHIVE_STEP_EXECUTE, errno};
}

static int open_failure_pipe(int ends[2]) {
    int failed = pgarchive_pipe(ends);
    if (failed) return failed;
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 3) continue;
        int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
        int error = errno;
        close(ends[i]);
        if (moved < 0) {
            close(ends[1 - i]);
            return -error;
        }
        ends[i] = moved;
    }
    return 0;
}

__attribute__((noinline)) static pid_t start(const struct pgarchive_spawn *spawn, int report, pid_t parent) {
    pid_t pid = vfork();
    if (pid == 0) {
        struct failure failure = become_program(spawn, parent);
        (void)!write(report, &failure, sizeof failure);
        _exit(127);
    }
    return pid < 0 ? -errno : pid;
}

pid_t pgarchive_spawn_process(const struct pgarchive_spawn *spawn, int *step) {
    int ends[2];
    *step = PGARCHIVE_STEP_PIPE;
    int failed = open_failure_pipe(ends);
    if (failed) return failed;

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = start(spawn, ends[1], getpid());
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        *step = PGARCHIVE_STEP_FORK;
        return pid;
    }
    struct failure failure;
    int64_t got = pgarchive_read_full(ends[0], &failure, sizeof failure);
    close(ends[0]);
    if (got != sizeof failure) return pid;
    int kind, value;
    pgarchive_wait_child(pid, true, &kind, &value);
    *step = failure.step;
    return -failure.error;
}
