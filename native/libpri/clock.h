// SPDX-License-Identifier: GPL-2.0-or-later
// The clock libpri's timers run on: CLOCK_MONOTONIC in service, a settable count of nanoseconds in tests.
#ifndef PUMP_CLOCK_H
#define PUMP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#define NS_PER_SECOND 1000000000ULL

struct pump_clock {
    bool virtual_time;
    uint64_t virtual_ns;
    int64_t wall_offset_ns; // wall clock minus monotonic clock; moves only where libpri reads the wall clock
};

// What libpri's gettimeofday() reads: 1 monotonic (or virtual), 0 the machine's wall clock.
int clock_is_wrapped(void);

// libpri has no clock parameter, so the pump that enters libpri names its clock first.
void clock_enter(struct pump_clock *clock);

uint64_t clock_now(const struct pump_clock *clock);

// The instant of a libpri timer on the pump's clock.
uint64_t clock_from_timeval(const struct pump_clock *clock, const struct timeval *instant);

// Nanoseconds the wall clock has leapt by since the last call; 0 while libpri does not read it.
int64_t clock_wall_step(struct pump_clock *clock);

#endif
