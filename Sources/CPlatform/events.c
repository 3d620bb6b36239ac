#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int result(int value) { return value >= 0 ? value : -errno; }

int pgarchive_event_create(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int pgarchive_event_signal(int fd) {
    uint64_t one = 1;
    int failed = pgarchive_write_full(fd, &one, sizeof one);
    return failed == -EAGAIN ? 0 : failed; // the counter is full: whoever waits is woken anyway
}

int64_t pgarchive_event_drain(int fd) {
    uint64_t count = 0;
    int64_t got = pgarchive_read(fd, &count, sizeof count);
    if (got == -EAGAIN) return 0;
    if (got < 0) return got;
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

int pgarchive_timer_create(void) { return result(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)); }

int pgarchive_timer_set(int fd, int64_t first, int64_t interval) {
    struct itimerspec spec = {
        .it_value = {.tv_sec = first / 1000000000, .tv_nsec = first % 1000000000},
        .it_interval = {.tv_sec = interval / 1000000000, .tv_nsec = interval % 1000000000},
    };
    return result(timerfd_settime(fd, 0, &spec, NULL));
}

static void fill(sigset_t *set, const int *signals, size_t count) {
    sigemptyset(set);
    for (size_t i = 0; i < count; i++) sigaddset(set, signals[i]);
}

int pgarchive_signal_create(const int *signals, size_t count) {
    sigset_t set;
    fill(&set, signals, count);
    return result(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

// The next pending signal, 0 when there is none.
int pgarchive_signal_read(int fd) {
    struct signalfd_siginfo info;
    int64_t got = pgarchive_read(fd, &info, sizeof info);
    if (got == -EAGAIN) return 0;
    if (got < 0) return (int)got;
    return got == sizeof info ? (int)info.ssi_signo : 0;
}

int pgarchive_signal_block(const int *signals, size_t count, bool block) {
    sigset_t set;
    fill(&set, signals, count);
    return -pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

int pgarchive_signal_ignore(int signal) {
    struct sigaction action = {.sa_handler = SIG_IGN};
    return result(sigaction(signal, &action, NULL));
}

static void end_at_once(int signal) {
    _exit(128 + signal);
}

int pgarchive_signal_ends(int signal) {
    struct sigaction action = {.sa_handler = end_at_once};
    return result(sigaction(signal, &action, NULL));
}

int pgarchive_watch_create(void) { return result(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)); }
int pgarchive_watch_add(int fd, const char *path, uint32_t mask) { return result(inotify_add_watch(fd, path, mask)); }
int pgarchive_watch_remove(int fd, int watch) { return result(inotify_rm_watch(fd, watch)); }
