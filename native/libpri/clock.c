// SPDX-License-Identifier: GPL-2.0-or-later
#include "clock.h"

#include <stddef.h>
#include <time.h>

// Keeps every instant given to libpri well above zero, so that a timer due at the very start is still a valid one.
#define ORIGIN_SECONDS 1000000ULL
#define STEP_LIMIT_NS  (NS_PER_SECOND / 2)

static struct pump_clock *active_clock;

static uint64_t read_clock(clockid_t which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

void clock_enter(struct pump_clock *clock) {
    active_clock = clock;
}

uint64_t clock_now(const struct pump_clock *clock) {
    return clock->virtual_time ? clock->virtual_ns : read_clock(CLOCK_MONOTONIC);
}

#ifdef PUMP_WRAPPED_CLOCK

int clock_is_wrapped(void) {
    return 1;
}

int __wrap_gettimeofday(struct timeval *tv, void *zone);

int __wrap_gettimeofday(struct timeval *tv, void *zone) {
    (void)zone;
    uint64_t now = active_clock ? clock_now(active_clock) : read_clock(CLOCK_MONOTONIC);
    tv->tv_sec = (time_t)(now / NS_PER_SECOND + ORIGIN_SECONDS);
    tv->tv_usec = (suseconds_t)(now % NS_PER_SECOND / 1000);
    return 0;
}

uint64_t clock_from_timeval(const struct pump_clock *clock, const struct timeval *instant) {
    (void)clock;
    return ((uint64_t)instant->tv_sec - ORIGIN_SECONDS) * NS_PER_SECOND + (uint64_t)instant->tv_usec * 1000;
}

int64_t clock_wall_step(struct pump_clock *clock) {
    (void)clock;
    return 0;
}

#else

int clock_is_wrapped(void) {
    return 0;
}

uint64_t clock_from_timeval(const struct pump_clock *clock, const struct timeval *instant) {
    int64_t wall = (int64_t)instant->tv_sec * (int64_t)NS_PER_SECOND + (int64_t)instant->tv_usec * 1000;
    int64_t monotonic = wall - clock->wall_offset_ns;
    return monotonic > 0 ? (uint64_t)monotonic : 0;
}

int64_t clock_wall_step(struct pump_clock *clock) {
    int64_t offset = (int64_t)read_clock(CLOCK_REALTIME) - (int64_t)read_clock(CLOCK_MONOTONIC);
    int64_t step = clock->wall_offset_ns ? offset - clock->wall_offset_ns : 0;
    clock->wall_offset_ns = offset;
    return step > (int64_t)STEP_LIMIT_NS || step < -(int64_t)STEP_LIMIT_NS ? step : 0;
}

#endif
