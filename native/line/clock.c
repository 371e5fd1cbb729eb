// SPDX-License-Identifier: GPL-2.0-or-later
/* The card's clock: ticks at absolute instants of the monotonic clock, without the interpreter. */
#define _GNU_SOURCE
#include "card.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void sleep_until(int64_t ns) {
    struct timespec at = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

static void *run(void *arg) {
    struct card *card = arg;
    int64_t tick = card->tick_ms * NS_PER_MS, next = now_ns() + tick;
    while (!atomic_load(&card->stopping)) {
        sleep_until(next);
        int64_t late = now_ns() - next - CARD_LATE_MS * NS_PER_MS;
        if (late > 0) {
            int64_t lost = (late + tick - 1) / tick;
            card_slip(card, (uint64_t)(lost * card->tick_ms * FRAMES_PER_MS));
            next += lost * tick;
        }
        card_tick(card);
        next += tick;
    }
    return NULL;
}

int card_start_clock(struct card *card) {
    if (atomic_load(&card->ticking))
        return -EBUSY;
    atomic_store(&card->stopping, false);
    sigset_t all, before;
    sigfillset(&all); /* signals belong to the process's own thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&card->clock, NULL, run, card);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -error;
    atomic_store(&card->ticking, true);
    pthread_setname_np(card->clock, "line-clock");
    struct sched_param first = {.sched_priority = 1};
    pthread_setschedparam(card->clock, SCHED_RR, &first); /* without the right to, it goes on as it is */
    return 0;
}

void card_stop_clock(struct card *card) {
    if (!atomic_load(&card->ticking))
        return;
    atomic_store(&card->stopping, true);
    pthread_join(card->clock, NULL);
    atomic_store(&card->ticking, false);
}
