// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated card: ports, the cables between them, and one clock for all.
 *
 * Synchronization: any thread; each call holds the card's lock, which the clock's thread takes for a tick at a time.
 * Calls return 0 (or what they say) or -errno: ENODEV no such port or timeslot, EINVAL a value out of range.
 */
#ifndef DAHDI_PY_CARD_H
#define DAHDI_PY_CARD_H

#include "farend.h"
#include "port.h"

#include <pthread.h>
#include <stdatomic.h>

#define CARD_PORTS_MAX 128
#define CARD_LATE_MS   100 /* later ticks than this are lost as slips */

struct card {
    pthread_mutex_t lock;
    struct port *ports[CARD_PORTS_MAX];       /* port n is ports[n - 1] */
    struct far_end *far_ends[CARD_PORTS_MAX]; /* of port n, or NULL */
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

/* That port, or NULL. Not locked. */
struct port *card_port(struct card *card, int port);

/* What each of 32 timeslots is (enum timeslot_kind) and what an idle one sends; EBUSY when an open one would change
 * and `force` is not set. */
int card_configure(struct card *card, int port, const uint8_t *kinds, uint8_t idle_octet, bool force);
/* How the port's line is framed and coded; EINVAL for what its type cannot be. Looks for frames anew when it changes.
 */
int card_frame(struct card *card, int port, enum framing framing, enum line_coding coding, bool crc4, bool cas);
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
/* What a timeslot's client missed since it was opened last: blocks not read, octets not written. */
int card_missed(struct card *card, int port, int timeslot, uint64_t *overruns, uint64_t *underruns);
/* Readable (an eventfd) when a port's alarms changed. */
int card_news_fd(struct card *card);

/* A cable joins two ports of one type; EBUSY when one has a cable, EXDEV when the types differ. */
int card_cable(struct card *card, int a, int b);
/* The port's cable is pulled at both ends, and what was wrong with it is gone; ENOTCONN when there is none. */
int card_uncable(struct card *card, int port);
/* The port at the other end of the cable, 0 for none. */
int card_cabled_to(struct card *card, int port);
/* A fault begins on the way to the port (or, `outward`, from it): `value` and `frames` as way_fault takes them.
 * ENOTCONN without a cable. */
int card_fault(struct card *card, int port, bool outward, enum fault fault, double value, uint64_t frames);
/* The way to the port (or from it) is without fault; ENOTCONN. */
int card_mend(struct card *card, int port, bool outward);
/* What is wrong with the way to the port (or from it); ENOTCONN. */
int card_faults(struct card *card, int port, bool outward, struct way_status *status);
/* Random faults of the port's way are the same each time from here on. */
int card_seed(struct card *card, int port, uint64_t seed);
/* The port's own oscillator is off nominal by that much, at most 500 ppm. */
int card_clock(struct card *card, int port, double ppm);
/* The port takes its clock from the line while it can. */
int card_follow(struct card *card, int port, bool follows);
/* What the port sends is weaker by that much, 0-30 dB. */
int card_build_out(struct card *card, int port, double db);
/* A CSU or NIU is plugged into the port in place of a cable, or (FAR_END_NONE) taken away; EBUSY when there is a cable,
 * EMEDIUMTYPE for an E1, which has no loop codes, ENOTCONN for none to take away. */
int card_far_end(struct card *card, int port, enum far_end_kind kind);
/* ENOTCONN when there is none. */
int card_far_end_status(struct card *card, int port, struct far_end_status *status);
/* A T1's port sends an in-band loop code in place of every timeslot for so many frames; EMEDIUMTYPE for an E1. */
int card_send_code(struct card *card, int port, enum inband_code code, uint64_t frames);
/* The port sends a codeword on ESF's data link so many times; EMEDIUMTYPE without that. */
int card_send_codeword(struct card *card, int port, uint16_t codeword, unsigned times);
/* For so many frames, LOOP_STAYS for good. */
int card_loop(struct card *card, int port, enum loop loop, uint64_t frames);
/* These timeslots go back as they arrive, one bit each, for so many frames. */
int card_slot_loops(struct card *card, int port, uint32_t slots, uint64_t frames);

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
