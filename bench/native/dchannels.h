/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libpri over D-channels of the simulated card, one epoll loop, nothing else: what both bench ends are made of. */
#ifndef BENCH_DCHANNELS_H
#define BENCH_DCHANNELS_H

#include <libpri.h>

#define MAX_DCHANNELS 128

struct dchannel {
    int fd;
    int up;
    struct pri *pri;
};

extern struct dchannel dchannels[MAX_DCHANNELS];
extern int dchannel_count;

/* Opens timeslot 16 of each port ("1,2,5-9") of the card and starts libpri on it. */
void dchannels_open(const char *card, const char *ports, int node, int ep);
/* Reads and times everything out that is due; on_event gets each libpri event. */
void dchannel_turn(struct dchannel *d, void (*on_event)(struct dchannel *, pri_event *));
/* Milliseconds until the next timer of any D-channel, at most 1000. */
int dchannels_timeout(void);

#endif
