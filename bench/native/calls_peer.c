/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_peer CARD PORTS CALLS IN_FLIGHT [RATE]: the far end of every span; places, is answered, hangs up, places again.
 *
 * Keeps IN_FLIGHT calls going on each D-channel until CALLS are through; with RATE it places so many a second instead,
 * on the D-channels in turn, IN_FLIGHT at most on each. Prints calls, seconds and failures; on SIGUSR1 the calls so
 * far.
 */
#define _GNU_SOURCE
#include "dchannels.h"
#include "wire.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

static long wanted, placed, done, failed;
static int in_flight, rate;
static uint32_t busy[MAX_DCHANNELS]; /* with a rate: bit t while timeslot t carries a call */
static volatile sig_atomic_t asked;

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

/* The call on the channel is over: another takes its place, or waits for its time. */
static void over(struct dchannel *d, int channel) {
    done++;
    if (rate)
        busy[d - dchannels] &= ~(1u << channel);
    else
        place(d, channel);
}

/* Calls whose time has come are placed, on the next D-channel that has room. */
static void place_due(int64_t start) {
    static int next, timeslot[MAX_DCHANNELS];
    long due = (long)((double)(now_ns() - start) / 1e9 * rate);
    for (int tries = 0; placed < due && placed < wanted && tries < dchannel_count; tries++) {
        int at = next++ % dchannel_count;
        if (__builtin_popcount(busy[at]) >= in_flight)
            continue;
        do
            timeslot[at] = timeslot[at] % 31 + 1;
        while (timeslot[at] == 16 || busy[at] >> timeslot[at] & 1);
        busy[at] |= 1u << timeslot[at];
        place(&dchannels[at], timeslot[at]);
        tries = -1;
    }
}

static void ask(int number) {
    (void)number;
    asked = 1;
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
        over(d, channel);
        break;
    case PRI_EVENT_HANGUP_ACK:
        over(d, e->hangup.channel & 0xff);
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
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: calls_peer CARD PORTS CALLS IN_FLIGHT [RATE]\n");
        return 2;
    }
    int ep = epoll_create1(0);
    wanted = atol(argv[3]);
    in_flight = atoi(argv[4]);
    rate = argc == 6 ? atoi(argv[5]) : 0;
    signal(SIGUSR1, ask);
    dchannels_open(argv[1], argv[2], PRI_NETWORK, ep);
    int64_t settled = 0, start = 0, heard = now_ns();
    while (!start || done < wanted) {
        struct epoll_event ready[64];
        int timeout = dchannels_timeout();
        int n = epoll_wait(ep, ready, 64, rate && timeout > 1 ? 1 : timeout);
        for (int i = 0; i < n; i++)
            dchannel_turn(ready[i].data.ptr, on_event);
        if (!n)
            for (int i = 0; i < dchannel_count; i++)
                dchannel_turn(&dchannels[i], on_event);
        if (n)
            heard = now_ns();
        else if (start && now_ns() - heard > 30000000000) {
            fprintf(stderr, "nothing heard for 30 s: %ld placed, %ld done, %ld failed\n", placed, done, failed);
            return 1;
        }
        if (!settled && all_up())
            settled = now_ns(); /* a peer's own pending SABME may still re-establish for T200, 1 s */
        if (settled && !start && now_ns() - settled > 1500000000) {
            puts("up");
            fflush(stdout);
            start = now_ns();
            heard = start;
            for (int i = 0; !rate && i < dchannel_count; i++)
                for (int c = 1; c <= in_flight; c++)
                    place(&dchannels[i], c < 16 ? c : c + 1);
        }
        if (start && rate)
            place_due(start);
        if (asked) {
            asked = 0;
            printf("%ld\n", done);
            fflush(stdout);
        }
    }
    printf("%ld %.6f %ld\n", done, (double)(now_ns() - start) / 1e9, failed);
    return 0;
}
