// SPDX-License-Identifier: GPL-2.0-or-later
/* A timer that is a descriptor, for who waits on descriptors without an event loop (Python has none before 3.13). */
#ifndef DAHDI_PY_TIMER_H
#define DAHDI_PY_TIMER_H

#include <stdint.h>

/* A disarmed monotonic timer's descriptor, or -errno. */
int timer_new(void);
/* Readable once, ns from now (0: at once). 0 or -errno. */
int timer_arm(int fd, uint64_t ns);

#endif
