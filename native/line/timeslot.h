// SPDX-License-Identifier: GPL-2.0-or-later
/* One timeslot of a port and the far end of its descriptor, with the manners of a DAHDI channel.
 *
 * Towards the client one block of `chunk` octets (or one frame and its FCS) a read, at most `depth` queued and new ones
 * dropped; from the client whatever it writes, at most about `depth` blocks; idle octets while there is nothing.
 */
#ifndef DAHDI_PY_TIMESLOT_H
#define DAHDI_PY_TIMESLOT_H

#include "crossconnect.h"
#include "hdlc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMESLOT_CHUNK_MAX 8192  /* octets of a block, as in DAHDI */
#define TIMESLOT_SPACE_MAX 32768 /* chunk * depth, as in DAHDI */
#define DCHANNEL_LIMIT     1024  /* longest frame with FCS */
#define DCHANNEL_DEPTH     32    /* frames queued each way */

enum timeslot_kind { TIMESLOT_UNUSED, TIMESLOT_CLEAR, TIMESLOT_DCHANNEL };

struct timeslot_counts {
    uint64_t overruns;  /* blocks or frames dropped: the client did not read */
    uint64_t underruns; /* idle octets sent while open: the client did not write */
    uint64_t cut;       /* writes longer than a block or frame may be */
};

struct hdlc_link {
    struct hdlc_tx tx;
    struct hdlc_rx rx;
};

struct timeslot {
    int fd;              /* our end, -1 while closed */
    uint32_t *open_set;  /* of its port: one bit for each open timeslot */
    uint32_t *heard_set; /* of its port: what its store holds of these came while they were open */
    uint32_t bit;        /* in both */
    enum timeslot_kind kind;
    uint8_t idle_octet; /* sent while closed */
    uint8_t fill_octet; /* sent while open and nothing is written */
    bool readable;      /* the client may have written since the last EAGAIN */
    struct hdlc_link *link;
    struct crossing *crossing; /* while it is joined with another */
    uint8_t *rx_block, *tx_block;
    size_t chunk, rx_length, tx_length, tx_at;
    struct timeslot_counts counts;
    struct timeslot_counts before; /* counts when it was opened last */
    struct hdlc_counts hdlc;       /* of links since closed */
    uint64_t hdlc_sent;
};

/* How a descriptor is asked for; `depth` is in blocks and comes back as it is. */
struct timeslot_media {
    bool hdlc;
    uint8_t fill_octet;
    size_t chunk;
    size_t depth;
};

/* The client's end, non-blocking and close-on-exec, or -errno: EBUSY while a copy of an earlier one is open. Our end
 * is in `epoll` with the timeslot as its data. */
int timeslot_open(struct timeslot *ts, int epoll, struct timeslot_media *media);
/* Our end is closed and what was queued is gone. */
void timeslot_close(struct timeslot *ts);
/* Whether a copy of the client's end is still open; an end that was closed is cleaned away. */
bool timeslot_held(struct timeslot *ts);
/* The next n octets for the line. */
void timeslot_transmit(struct timeslot *ts, uint8_t *line, size_t n);
/* n octets came from the line. */
void timeslot_receive(struct timeslot *ts, const uint8_t *line, size_t n);

#endif
