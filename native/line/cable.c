// SPDX-License-Identifier: GPL-2.0-or-later
#include "cable.h"

#include <errno.h>
#include <string.h>

#define PPB 1000000000ull

static const line_signal no_signal;

static struct arrival nothing(size_t frames) {
    return (struct arrival){.line = no_signal, .frames = frames, .level_db = -WAY_LOS_DB};
}

void cable_end_init(struct cable_end *end, enum line_type type, uint64_t seed) {
    memset(end, 0, sizeof *end);
    way_init(&end->way, type, seed);
    end->sends = end->arrives = nothing(0);
}

int cable_join(struct cable_end *a, struct cable_end *b) {
    if (a == b)
        return -EINVAL;
    if (a->way.type != b->way.type)
        return -EXDEV;
    if (a->peer || b->peer)
        return -EBUSY;
    a->peer = b;
    b->peer = a;
    return 0;
}

int cable_part(struct cable_end *end) {
    struct cable_end *peer = end->peer;
    if (!peer)
        return -ENOTCONN;
    end->peer = peer->peer = NULL;
    way_mend(&end->way);
    way_mend(&peer->way);
    return 0;
}

static int64_t sending_rate(const struct cable_end *end, int hops);

/* Two ends that follow each other have no clock but their own; as in life the pair runs off, here with the faster. */
static int64_t clock_rate(const struct cable_end *end, int hops) {
    if (!end->follows || !end->usable || !end->peer)
        return end->own_ppb;
    if (hops == 0)
        return end->own_ppb > end->peer->own_ppb ? end->own_ppb : end->peer->own_ppb;
    return sending_rate(end->peer, hops - 1);
}

static int64_t sending_rate(const struct cable_end *end, int hops) {
    if (end->returns_line && end->peer && hops > 0)
        return sending_rate(end->peer, hops - 1);
    return clock_rate(end, hops);
}

void cable_set_clock(struct cable_end *end) {
    end->rate_ppb = clock_rate(end, 4);
}

size_t cable_frames(struct cable_end *end, size_t nominal) {
    end->phase += nominal * (uint64_t)((int64_t)PPB + end->rate_ppb);
    size_t frames = end->phase / PPB;
    end->phase %= PPB;
    return frames;
}

/* A receiver of another line code takes substitutions for pulses and zeros, and pulses and zeros for substitutions. */
static void read_by_own_code(struct cable_end *end) {
    struct arrival *arrives = &end->arrives;
    if (arrives->coding == end->coding)
        return;
    if (arrives->line != (const uint8_t(*)[FRAME_SPAN])end->room) {
        memcpy(end->room, arrives->line, arrives->frames * FRAME_SPAN);
        arrives->line = (const uint8_t(*)[FRAME_SPAN])end->room;
    }
    arrives->violations +=
        line_code_pass(&end->mistaken, arrives->coding, end->coding, end->way.type, end->room, arrives->frames);
}

/* Whatever is put on a line that nobody sends on comes at the receiver's own clock and by its own code. */
static struct arrival silence(const struct cable_end *end, size_t frames) {
    struct arrival silence = nothing(frames);
    silence.rate_ppb = end->rate_ppb;
    silence.coding = end->coding;
    return silence;
}

void cable_receive(struct cable_end *end, size_t frames) {
    const struct cable_end *peer = end->peer;
    end->arrives = silence(end, frames);
    if (!peer)
        return;
    if (peer->sends.signal)
        end->arrives = peer->sends;
    /* Also where there is no signal, for the way may put one there (all ones). */
    end->arrives.level_db = -peer->build_out_db;
    way_pass(&end->way, &end->arrives, end->room);
    if (end->arrives.signal)
        read_by_own_code(end);
    else
        end->arrives = silence(end, frames);
}

void cable_return(struct cable_end *end) {
    end->sends = end->arrives;
    end->sends.violations = 0;
    end->sends.coding = end->coding;
}
