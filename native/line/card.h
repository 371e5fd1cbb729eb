// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated card: ports, the cables between them, and one clock for all.
 *
 * Synchronization: any thread; each call holds the card's lock, which the clock's thread takes for a tick at a time.
 * Calls return 0 (or what they say) or -errno: ENODEV no such port or timeslot, EINVAL a value out of range.
 */
#ifndef DAHDI_PY_CARD_H
#define DAHDI_PY_CARD_H

#include "port.h"

#include <pthread.h>
#include <stdatomic.h>

#define CARD_PORTS_MAX 128
#define CARD_LATE_MS   100 /* later ticks than this are lost as slips */

struct card {
    pthread_mutex_t lock;
    struct port *ports[CARD_PORTS_MAX]; /* port n is ports[n - 1] */
    int port_count;
    int tick_ms;
    int epoll;        /* our ends of all descriptors */
    int news;         /* eventfd: alarms changed */
    uint64_t owed_ns; /* advanced, but not a whole tick yet */
    pthread_t clock;
    atomic_bool ticking, stopping;
};

/* A stopped card of 1 to 128 ports, uncabled; NULL with errno set. */
struct card *card_new(const uint8_t *types, int ports, int tick_ms);
/* Every descriptor's far end is closed and the memory is gone; stops the clock first. */
void card_free(struct card *card);

/* A cable joins two ports of one type; EBUSY when one has a cable, EMEDIUMTYPE when the types differ. */
int card_cable(struct card *card, int a, int b);
/* The port's cable is pulled at both ends; ENOTCONN when there is none. */
int card_uncable(struct card *card, int port);
/* The port at the other end of the cable, 0 for none. */
int card_cabled_to(struct card *card, int port);
/* What each of 32 timeslots is (enum timeslot_kind) and what an idle one sends; EBUSY when an open one would change
 * and `force` is not set. */
int card_configure(struct card *card, int port, const uint8_t *kinds, uint8_t idle_octet, bool force);
/* The port transmits and receives, or neither. */
int card_run_port(struct card *card, int port, bool running);
/* A timeslot's descriptor for the client; *depth comes back as it is. EBUSY while an earlier one is open somewhere,
 * ENXIO when it is not configured as a B-channel. */
int card_open_timeslot(struct card *card, int port, int timeslot, bool hdlc, uint8_t fill_octet, int chunk, int *depth);
/* A D-channel's descriptor; ENXIO when the timeslot is not configured as one. */
int card_open_dchannel(struct card *card, int port, int timeslot);
/* Timeslots open in any process, one bit each. */
int card_held(struct card *card, int port, uint32_t *held);
int card_prove_free(struct card *card, int port, int timeslot);
int card_status(struct card *card, int port, struct port_status *status);
/* Readable (an eventfd) when a port's alarms changed. */
int card_news_fd(struct card *card);

/* One tick of every port. */
void card_tick(struct card *card);
/* That much time passes now; only without the clock (EBUSY). */
int card_advance(struct card *card, uint64_t ns);
/* That many frames are lost on every running port. */
void card_slip(struct card *card, uint64_t frames);

/* The card ticks by the monotonic clock in a thread of its own, at real-time priority where allowed. */
int card_start_clock(struct card *card);
void card_stop_clock(struct card *card);

#endif
