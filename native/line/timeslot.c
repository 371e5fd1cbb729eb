// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "timeslot.h"

#include "descriptor.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int prepare(struct timeslot *ts, const struct timeslot_media *media) {
    ts->tx_block = malloc(TIMESLOT_CHUNK_MAX);
    if (media->hdlc)
        ts->link = malloc(sizeof *ts->link);
    else
        ts->rx_block = malloc(media->chunk);
    if (!ts->tx_block || !(ts->link || ts->rx_block))
        return -ENOMEM;
    if (ts->link) {
        hdlc_tx_init(&ts->link->tx, 0);
        hdlc_rx_init(&ts->link->rx, DCHANNEL_LIMIT);
    }
    ts->fill_octet = media->fill_octet;
    ts->chunk = media->chunk;
    ts->rx_length = ts->tx_length = ts->tx_at = 0;
    ts->readable = false;
    ts->before = ts->counts;
    return 0;
}

static void discard(struct timeslot *ts) {
    free(ts->link);
    free(ts->rx_block);
    free(ts->tx_block);
    ts->link = NULL;
    ts->rx_block = ts->tx_block = NULL;
}

int timeslot_open(struct timeslot *ts, int epoll, struct timeslot_media *media) {
    if (timeslot_held(ts))
        return -EBUSY;
    size_t block = media->hdlc ? 256 + HDLC_FCS : media->chunk;
    if (media->chunk == 0 || media->chunk > TIMESLOT_CHUNK_MAX || media->depth < 2 || media->depth > 32 ||
        media->chunk * media->depth > TIMESLOT_SPACE_MAX)
        return -EINVAL;
    int ends[2], error = descriptor_pair(ends, block, &media->depth);
    if (error)
        return error;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = ts};
    error = prepare(ts, media);
    if (!error && epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) < 0)
        error = -errno;
    if (error) {
        discard(ts);
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    ts->fd = ends[0];
    *ts->open_set |= ts->bit;
    *ts->heard_set &= ~ts->bit;
    return ends[1];
}

static void keep_counts(struct timeslot *ts) {
    const struct hdlc_counts *now = &ts->link->rx.counts;
    ts->hdlc_sent += ts->link->tx.frames;
    ts->hdlc.frames += now->frames;
    ts->hdlc.fcs_errors += now->fcs_errors;
    ts->hdlc.aborts += now->aborts;
    ts->hdlc.overlong += now->overlong;
    ts->hdlc.misaligned += now->misaligned;
    ts->hdlc.shorts += now->shorts;
}

void timeslot_close(struct timeslot *ts) {
    if (ts->fd < 0)
        return;
    if (ts->crossing)
        crossing_part(ts);
    if (ts->link)
        keep_counts(ts);
    close(ts->fd);
    ts->fd = -1;
    *ts->open_set &= ~ts->bit;
    discard(ts);
}

bool timeslot_held(struct timeslot *ts) {
    if (ts->fd < 0)
        return false;
    struct pollfd hangup = {.fd = ts->fd};
    if (poll(&hangup, 1, 0) == 1 && hangup.revents & POLLHUP)
        timeslot_close(ts);
    return ts->fd >= 0;
}

/* Whether the client will write no more; a write of nothing looks the same to recv. */
static bool ended(int fd) {
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};
    return poll(&end, 1, 0) == 1;
}

/* The client's next write into tx_block; false when there is none. */
static bool take_write(struct timeslot *ts) {
    while (ts->readable) {
        ssize_t length = recv(ts->fd, ts->tx_block, TIMESLOT_CHUNK_MAX, MSG_TRUNC);
        if (length <= 0) {
            ts->readable = length == 0 && !ended(ts->fd);
            continue;
        }
        ts->counts.cut += length > TIMESLOT_CHUNK_MAX;
        ts->tx_length = length > TIMESLOT_CHUNK_MAX ? TIMESLOT_CHUNK_MAX : (size_t)length;
        ts->tx_at = 0;
        return true;
    }
    return false;
}

static void transmit_octets(struct timeslot *ts, uint8_t *line, size_t n) {
    while (n) {
        size_t left = ts->tx_length - ts->tx_at;
        if (left == 0 && take_write(ts))
            continue;
        if (left == 0) {
            memset(line, ts->fill_octet, n);
            ts->counts.underruns += n;
            return;
        }
        size_t part = left < n ? left : n;
        memcpy(line, ts->tx_block + ts->tx_at, part);
        ts->tx_at += part;
        line += part;
        n -= part;
    }
}

/* A written frame carries two octets in the place of the FCS. One longer than a frame may be is not sent at all. */
static bool load_frame(struct timeslot *ts) {
    while (take_write(ts)) {
        if (ts->tx_length > DCHANNEL_LIMIT)
            ts->counts.cut++;
        else if (ts->tx_length > HDLC_FCS && hdlc_tx_load(&ts->link->tx, ts->tx_block, ts->tx_length - HDLC_FCS))
            return true;
    }
    return false;
}

static void transmit_frames(struct timeslot *ts, uint8_t *line, size_t n) {
    struct hdlc_tx *tx = &ts->link->tx;
    for (;;) {
        size_t sent = hdlc_tx_send(tx, line, n);
        line += sent;
        n -= sent;
        if (n == 0)
            return;
        if (!load_frame(ts)) {
            hdlc_tx_idle(tx, line, n);
            return;
        }
    }
}

void timeslot_transmit(struct timeslot *ts, uint8_t *line, size_t n) {
    if (ts->fd < 0)
        memset(line, ts->kind == TIMESLOT_DCHANNEL ? 0xFF : ts->idle_octet, n);
    else if (ts->crossing)
        crossing_transmit(ts, line, n);
    else if (ts->link)
        transmit_frames(ts, line, n);
    else
        transmit_octets(ts, line, n);
}

static void deliver(struct timeslot *ts, const uint8_t *octets, size_t n) {
    if (send(ts->fd, octets, n, MSG_NOSIGNAL) < 0 && errno != EPIPE)
        ts->counts.overruns++;
}

static void receive_octets(struct timeslot *ts, const uint8_t *line, size_t n) {
    while (n) {
        size_t room = ts->chunk - ts->rx_length, part = room < n ? room : n;
        memcpy(ts->rx_block + ts->rx_length, line, part);
        ts->rx_length += part;
        line += part;
        n -= part;
        if (ts->rx_length == ts->chunk) {
            deliver(ts, ts->rx_block, ts->chunk);
            ts->rx_length = 0;
        }
    }
}

static void receive_frames(struct timeslot *ts, const uint8_t *line, size_t n) {
    struct hdlc_rx *rx = &ts->link->rx;
    while (n) {
        size_t length, taken = hdlc_rx_feed(rx, line, n, &length);
        if (length)
            deliver(ts, rx->frame, length);
        line += taken;
        n -= taken;
    }
}

void timeslot_receive(struct timeslot *ts, const uint8_t *line, size_t n) {
    if (ts->fd < 0)
        return;
    if (ts->crossing)
        crossing_receive(ts, line, n);
    else if (ts->link)
        receive_frames(ts, line, n);
    else
        receive_octets(ts, line, n);
}
