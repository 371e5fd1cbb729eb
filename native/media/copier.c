// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "copier.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_AT_ONCE  64
#define BLOCKS_AT_ONCE  16
#define DRAINED_AT_MOST 64  /* twice what a channel's queue holds */
#define ELAST_DAHDI     500 /* DAHDI: an event is pending, which whoever watches for POLLPRI takes off */
#define PENDING_NS      1000000

/* One descriptor of a pair, and what is on its way to the other. */
struct side {
    int fd;
    size_t chunk;
    struct side *other;
    struct pair *pair;
    uint8_t held[(COPIER_BACKLOG + 1) * COPIER_CHUNK_MAX]; /* a block read always has room */
    size_t held_length;
    bool blocked; /* what is held waits until the other side takes more; nothing is read meanwhile */
    int cost;     /* what a block that waits on this socket counts in its queue; 0 while unknown, -1 if it is none */
    struct copier_counts counts;
};

struct pair {
    struct side sides[2];
    bool live, ended, told;
    struct pair *next;
    int number;
};

struct copier {
    int epoll, wake, news;
    pthread_t thread;
    pthread_mutex_t lock;
    struct pair *pairs;
    int last;
    bool stopping;
};

static void signal_fd(int fd) {
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void end_pair(struct copier *copier, struct pair *pair) {
    if (pair->ended)
        return;
    pair->ended = true;
    for (int at = 0; at < 2; at++)
        epoll_ctl(copier->epoll, EPOLL_CTL_DEL, pair->sides[at].fd, NULL);
    signal_fd(copier->news);
}

/* The first octets of what is held are on their way no more. */
static void forget(struct side *side, size_t octets) {
    side->held_length -= octets;
    memmove(side->held, side->held + octets, side->held_length);
}

/* What has been written and waits to be read, in the kernel's measure of memory; -1 where nobody says. */
static int waiting(int fd) {
    int queued;
    return ioctl(fd, SIOCOUTQ, &queued) < 0 ? -1 : queued;
}

/* As write; a live block is dropped (EAGAIN) while enough of them wait for the line. */
static ssize_t put(struct side *to, const uint8_t *block, size_t length) {
    if (!to->pair->live || to->cost < 0)
        return write(to->fd, block, length);
    int before = waiting(to->fd);
    if (to->cost && before >= COPIER_BACKLOG * to->cost) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t written = write(to->fd, block, length);
    int error = errno, after = waiting(to->fd);
    if (before < 0)
        to->cost = -1;
    else if (written > 0 && after > before) /* none was read meanwhile */
        to->cost = after - before;
    errno = error;
    return written;
}

/* Whole blocks of what is held, or the frame that it is, go to the other side; false when that has failed. Live ones
 * that it does not take are dropped, others wait: whoever writes them is to feel it. */
static bool forward(struct side *from) {
    struct side *to = from->other;
    size_t block = to->chunk ? to->chunk : from->held_length, at = 0;
    from->blocked = false;
    while (block && from->held_length - at >= block) {
        ssize_t written = put(to, from->held + at, block);
        if (written < 0 && errno != EAGAIN && errno != EINTR && errno != ELAST_DAHDI)
            return false;
        if (written < 0 && !from->pair->live) {
            from->blocked = true;
            break;
        }
        if (written < 0)
            from->counts.dropped++;
        else
            from->counts.octets += (uint64_t)written;
        at += block;
    }
    forget(from, at);
    return true;
}

/* Of live octets that have piled up only the newest stay. */
static void shorten(struct side *from) {
    size_t larger = from->chunk > from->other->chunk ? from->chunk : from->other->chunk;
    size_t kept = COPIER_BACKLOG * larger;
    if (from->held_length <= kept)
        return;
    from->counts.dropped += (from->held_length - kept + from->chunk - 1) / from->chunk;
    forget(from, from->held_length - kept);
}

/* Whether nothing will come any more; a write of nothing looks the same to read. */
static bool over(int fd) {
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};
    return poll(&end, 1, 0) == 1;
}

enum got { GOT_BLOCK, GOT_NOTHING, GOT_EVENT, GOT_END };

static enum got take(struct side *from) {
    ssize_t length = read(from->fd, from->held + from->held_length, sizeof from->held - from->held_length);
    if (length > 0 || (length == 0 && !over(from->fd))) {
        from->held_length += (size_t)length;
        return GOT_BLOCK;
    }
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return GOT_NOTHING;
    return length < 0 && errno == ELAST_DAHDI ? GOT_EVENT : GOT_END;
}

/* A side is read while the other takes what it says, and waited for while it does not. */
static void watch(struct copier *copier, struct side *side) {
    uint32_t in = side->blocked ? 0 : EPOLLIN, out = side->other->blocked ? EPOLLOUT : 0;
    struct epoll_event event = {.events = in | out, .data.ptr = side};
    epoll_ctl(copier->epoll, EPOLL_CTL_MOD, side->fd, &event);
}

/* What is there now is copied; whether an event kept it from being read. */
static bool copy(struct copier *copier, struct side *from) {
    bool live = from->pair->live, well = true;
    enum got got = GOT_BLOCK;
    for (int block = 0; block < BLOCKS_AT_ONCE && got == GOT_BLOCK && well && !from->blocked; block++) {
        got = take(from);
        if (live)
            shorten(from);
        else if (got == GOT_BLOCK)
            well = forward(from);
    }
    if (live)
        well = forward(from);
    if (got == GOT_END || !well) {
        end_pair(copier, from->pair);
    } else if (from->blocked) {
        watch(copier, from);
        watch(copier, from->other);
    }
    return got == GOT_EVENT;
}

/* The other side of one that waits may take more; whether an event kept it from that. */
static bool unblock(struct copier *copier, struct side *from) {
    if (!forward(from)) {
        end_pair(copier, from->pair);
    } else if (!from->blocked) {
        watch(copier, from);
        watch(copier, from->other);
    }
    return from->blocked;
}

/* Something happened on the side's descriptor; whether an event has to be taken off one first. */
static bool look(struct copier *copier, struct side *side, uint32_t events) {
    bool pending = false;
    if (side->blocked && events & (EPOLLHUP | EPOLLERR))
        end_pair(copier, side->pair);
    if (!side->pair->ended && side->other->blocked && events & EPOLLOUT)
        pending |= unblock(copier, side->other);
    if (!side->pair->ended && !side->blocked && events & ~(uint32_t)EPOLLOUT)
        pending |= copy(copier, side);
    return pending;
}

/* What waits on the descriptor is older than its pair. */
static void drain(struct side *side) {
    for (int block = 0; block < DRAINED_AT_MOST && take(side) == GOT_BLOCK; block++)
        side->held_length = 0;
}

static void *run(void *argument) {
    struct copier *copier = argument;
    struct epoll_event events[EVENTS_AT_ONCE];
    for (;;) {
        int count = epoll_wait(copier->epoll, events, EVENTS_AT_ONCE, -1);
        bool pending = false;
        pthread_mutex_lock(&copier->lock);
        if (copier->stopping) {
            pthread_mutex_unlock(&copier->lock);
            return NULL;
        }
        /* A pair that was parted since epoll_wait is freed: its events are not looked at, but asked for anew. */
        uint64_t parted = 0;
        if (read(copier->wake, &parted, sizeof parted) < 0)
            parted = 0;
        for (int at = 0; at < count && !parted; at++) {
            struct side *side = events[at].data.ptr;
            if (side && !side->pair->ended)
                pending |= look(copier, side, events[at].events);
        }
        pthread_mutex_unlock(&copier->lock);
        if (pending)
            nanosleep(&(struct timespec){.tv_nsec = PENDING_NS}, NULL);
    }
}

struct copier *copier_new(void) {
    struct copier *copier = calloc(1, sizeof *copier);
    if (!copier)
        return NULL;
    pthread_mutex_init(&copier->lock, NULL);
    copier->epoll = epoll_create1(EPOLL_CLOEXEC);
    copier->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    copier->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
    int error = copier->epoll < 0 || copier->wake < 0 || copier->news < 0 ||
                        epoll_ctl(copier->epoll, EPOLL_CTL_ADD, copier->wake, &wake) < 0
                    ? errno
                    : pthread_create(&copier->thread, NULL, run, copier);
    if (error) {
        close(copier->epoll);
        close(copier->wake);
        close(copier->news);
        pthread_mutex_destroy(&copier->lock);
        free(copier);
        errno = error;
        return NULL;
    }
    return copier;
}

void copier_free(struct copier *copier) {
    pthread_mutex_lock(&copier->lock);
    copier->stopping = true;
    pthread_mutex_unlock(&copier->lock);
    signal_fd(copier->wake);
    pthread_join(copier->thread, NULL);
    while (copier->pairs) {
        struct pair *next = copier->pairs->next;
        free(copier->pairs);
        copier->pairs = next;
    }
    close(copier->epoll);
    close(copier->wake);
    close(copier->news);
    pthread_mutex_destroy(&copier->lock);
    free(copier);
}

static int add(struct copier *copier, struct pair *pair) {
    for (int at = 0; at < 2; at++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &pair->sides[at]};
        if (epoll_ctl(copier->epoll, EPOLL_CTL_ADD, pair->sides[at].fd, &event) < 0) {
            int error = errno;
            if (at)
                epoll_ctl(copier->epoll, EPOLL_CTL_DEL, pair->sides[0].fd, NULL);
            return error;
        }
    }
    return 0;
}

static bool chunks_fit(int a, int b, bool live) {
    bool frames = a == 0 && b == 0 && !live;
    return frames || (a >= 1 && a <= COPIER_CHUNK_MAX && b >= 1 && b <= COPIER_CHUNK_MAX);
}

int copier_join(struct copier *copier, int a, int a_chunk, int b, int b_chunk, bool live) {
    if (!chunks_fit(a_chunk, b_chunk, live))
        return -EINVAL;
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair)
        return -ENOMEM;
    struct side *sides = pair->sides;
    sides[0] = (struct side){.fd = a, .chunk = (size_t)a_chunk, .other = &sides[1], .pair = pair};
    sides[1] = (struct side){.fd = b, .chunk = (size_t)b_chunk, .other = &sides[0], .pair = pair};
    pair->live = live;
    pthread_mutex_lock(&copier->lock);
    int error = add(copier, pair);
    if (!error) {
        drain(&sides[0]);
        drain(&sides[1]);
        pair->number = ++copier->last;
        pair->next = copier->pairs;
        copier->pairs = pair;
    }
    int result = error ? -error : pair->number;
    pthread_mutex_unlock(&copier->lock);
    if (error)
        free(pair);
    return result;
}

int copier_part(struct copier *copier, int number, struct copier_counts counts[2]) {
    pthread_mutex_lock(&copier->lock);
    struct pair **at = &copier->pairs;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    struct pair *pair = *at;
    if (pair) {
        *at = pair->next;
        for (int side = 0; side < 2; side++) {
            counts[side] = pair->sides[side].counts;
            if (!pair->ended)
                epoll_ctl(copier->epoll, EPOLL_CTL_DEL, pair->sides[side].fd, NULL);
        }
        free(pair);
        signal_fd(copier->wake);
    }
    pthread_mutex_unlock(&copier->lock);
    return pair ? 0 : -ENOENT;
}

int copier_news_fd(struct copier *copier) {
    return copier->news;
}

int copier_ended(struct copier *copier) {
    int found = -1;
    uint64_t news;
    pthread_mutex_lock(&copier->lock);
    if (read(copier->news, &news, sizeof news) < 0 && errno != EAGAIN)
        news = 0;
    for (struct pair *pair = copier->pairs; pair && found < 0; pair = pair->next)
        if (pair->ended && !pair->told) {
            pair->told = true;
            found = pair->number;
        }
    pthread_mutex_unlock(&copier->lock);
    return found;
}
