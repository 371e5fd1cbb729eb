// SPDX-License-Identifier: GPL-2.0-or-later
/* Joins descriptors of channels in pairs and copies what comes on one to the other, in a thread of its own.
 *
 * Nothing is transcoded. Octets are written in blocks of the other side's `chunk`, frames (chunk 0) as they are read; a
 * side that takes no block loses it, counted. What waits on either when they are joined is thrown away: it is older
 * than the pair. A side that has ended, or fails, ends its pair: that is told by `copier_news_fd`.
 *
 * Two lines' octets come at one rate, so what once was late would be late for ever. Of a `live` pair's octets that have
 * piled up (this thread was kept from running) only the newest COPIER_BACKLOG blocks are copied, and a block is dropped
 * while so many wait for the line, where that can be seen: on a socket.
 */
#ifndef DAHDI_PY_COPIER_H
#define DAHDI_PY_COPIER_H

#include <stdbool.h>
#include <stdint.h>

#define COPIER_CHUNK_MAX 8192
#define COPIER_BACKLOG   2

struct copier;

/* What went one way: from a to b, or from b to a. */
struct copier_counts {
    uint64_t octets;
    uint64_t dropped; /* blocks that the other side did not take, or that came too late */
};

/* A copier with its thread; NULL and errno. */
struct copier *copier_new(void);
/* Every pair is parted, the thread has ended. */
void copier_free(struct copier *copier);
/* a and b, which stay the caller's, are joined: the pair's number, or -errno. The chunks are octets of a block, 0 for
 * both where they carry frames. */
int copier_join(struct copier *copier, int a, int a_chunk, int b, int b_chunk, bool live);
/* The pair is no more and neither descriptor is touched again; its counts from a to b and from b to a, or -ENOENT. */
int copier_part(struct copier *copier, int pair, struct copier_counts counts[2]);
/* Readable when pairs have ended by themselves. */
int copier_news_fd(struct copier *copier);
/* A pair that has ended and is still to be parted; -1 for none. Each is told once. */
int copier_ended(struct copier *copier);

#endif
