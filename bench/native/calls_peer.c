/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_peer CARD PORTS CALLS IN_FLIGHT: the far end of every span; places, is answered, hangs up, places again.
 *
 * Keeps IN_FLIGHT calls going on each D-channel until CALLS are through; prints calls and seconds.
 */
#define _GNU_SOURCE
#include "dchannels.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

static long wanted, placed, done, failed;
static int in_flight;

static void place(struct dchannel *d, int channel) {
    if (placed == wanted)
        return;
    placed++;
    q931_call *call = pri_new_call(d->pri);
    struct pri_sr *sr = pri_sr_new();
    pri_sr_set_channel(sr, channel, 1, 0);
    pri_sr_set_bearer(sr, PRI_TRANS_CAP_SPEECH, PRI_LAYER_1_ALAW);
    pri_sr_set_called(sr, "2001", PRI_NATIONAL_ISDN, 1);
    pri_sr_set_caller(sr, "5551000", NULL, PRI_NATIONAL_ISDN, PRES_ALLOWED_USER_NUMBER_NOT_SCREENED);
    if (pri_setup(d->pri, call, sr))
        die("pri_setup");
    pri_sr_free(sr);
}

static void on_event(struct dchannel *d, pri_event *e) {
    int channel;
    switch (e->e) {
    case PRI_EVENT_DCHAN_UP:
        d->up = 1;
        break;
    case PRI_EVENT_ANSWER:
        pri_hangup(d->pri, e->answer.call, PRI_CAUSE_NORMAL_CLEARING);
        break;
    case PRI_EVENT_HANGUP_REQ: /* we clear first, always: the other end did not carry the call */
        failed++;
        pri_hangup(d->pri, e->hangup.call, e->hangup.cause);
        break;
    case PRI_EVENT_HANGUP: /* RELEASE for our DISCONNECT; RELEASE COMPLETE goes out and the call is gone */
        channel = e->hangup.channel & 0xff;
        failed += e->hangup.cause != PRI_CAUSE_NORMAL_CLEARING;
        pri_hangup(d->pri, e->hangup.call, e->hangup.cause);
        done++;
        place(d, channel);
        break;
    case PRI_EVENT_HANGUP_ACK:
        done++;
        place(d, e->hangup.channel & 0xff);
        break;
    }
}

static int all_up(void) {
    for (int i = 0; i < dchannel_count; i++)
        if (!dchannels[i].up)
            return 0;
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: calls_peer CARD PORTS CALLS IN_FLIGHT\n");
        return 2;
    }
    int ep = epoll_create1(0);
    wanted = atol(argv[3]);
    in_flight = atoi(argv[4]);
    dchannels_open(argv[1], argv[2], PRI_NETWORK, ep);
    int64_t settled = 0, start = 0, heard = now_ns();
    while (!start || done < wanted) {
        struct epoll_event ready[64];
        int n = epoll_wait(ep, ready, 64, dchannels_timeout());
        for (int i = 0; i < n; i++)
            dchannel_turn(ready[i].data.ptr, on_event);
        if (!n)
            for (int i = 0; i < dchannel_count; i++)
                dchannel_turn(&dchannels[i], on_event);
        if (n)
            heard = now_ns();
        else if (now_ns() - heard > 30000000000) {
            fprintf(stderr, "nothing heard for 30 s: %ld placed, %ld done, %ld failed\n", placed, done, failed);
            return 1;
        }
        if (!settled && all_up())
            settled = now_ns(); /* a peer's own pending SABME may still re-establish for T200, 1 s */
        if (settled && !start && now_ns() - settled > 1500000000) {
            puts("up");
            fflush(stdout);
            start = now_ns();
            for (int i = 0; i < dchannel_count; i++)
                for (int c = 1; c <= in_flight; c++)
                    place(&dchannels[i], c < 16 ? c : c + 1);
        }
    }
    printf("%ld %.6f %ld\n", done, (double)(now_ns() - start) / 1e9, failed);
    return 0;
}
