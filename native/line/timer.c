// SPDX-License-Identifier: GPL-2.0-or-later
#include "timer.h"

#include <errno.h>
#include <stddef.h>
#include <sys/timerfd.h>

#define NS_PER_S 1000000000u

int timer_new(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int timer_arm(int fd, uint64_t ns) {
    if (ns == 0)
        ns = 1; /* zero would disarm it */
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)}};
    return timerfd_settime(fd, 0, &at, NULL) < 0 ? -errno : 0;
}
