// SPDX-License-Identifier: GPL-2.0-or-later
/* Two open timeslots of one card joined in the card itself: what one receives in a tick the other sends in the next.
 *
 * Meanwhile neither client is read or written to: what it writes is thrown away when they part, and none of it is
 * counted as missed. Closing either parts them.
 */
#ifndef DAHDI_PY_CROSSCONNECT_H
#define DAHDI_PY_CROSSCONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct card;
struct timeslot;

/* What a joined timeslot sends next, oldest first: a tick of it, and an octet more. Where its port's clock is faster
 * than the other's an octet is given twice, where it is slower one is left out. */
struct crossing {
    struct timeslot *other;
    size_t length;
    uint8_t last; /* sent */
    uint8_t octets[];
};

/* The next n octets for the line: what the other received, or idle ones when it received nothing. */
void crossing_transmit(struct timeslot *ts, uint8_t *line, size_t n);
/* n octets came from the line, for the other. */
void crossing_receive(struct timeslot *ts, const uint8_t *line, size_t n);
/* The timeslot and its other have their clients again, none of whose old octets are sent. */
void crossing_part(struct timeslot *ts);

/* The timeslots are joined; ENODEV none such, ENXIO one is not open with octets, EBUSY one is joined, EINVAL they are
 * one. */
int card_join(struct card *card, int a_port, int a_timeslot, int b_port, int b_timeslot);
/* The timeslot is joined no more; ENOTCONN when it was not. */
int card_part(struct card *card, int port, int timeslot);

#endif
