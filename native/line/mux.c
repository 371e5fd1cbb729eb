// SPDX-License-Identifier: GPL-2.0-or-later
#include "mux.h"

#include <string.h>

typedef uint8_t octets __attribute__((vector_size(16)));
typedef uint64_t words __attribute__((vector_size(16)));

/* Eight octets and eight more that do not matter; written as one, for a half-written vector is slow to read. */
static inline octets load_eight(const uint8_t *from) {
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return (octets)(words){word, 0};
}

static inline octets zip_low(octets a, octets b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

static inline octets zip_high(octets a, octets b) {
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/* Each vector is zipped with the one four places behind: three rounds transpose eight of them by octets. */
static inline void zip_round(octets *v) {
    octets out[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < 4; i++) {
        out[2 * i] = zip_low(v[i], v[i + 4]);
        out[2 * i + 1] = zip_high(v[i], v[i + 4]);
    }
    memcpy(v, out, sizeof out);
}

/* Sixteen timeslots by eight frames. */
static void mux_block(uint8_t (*slots)[TICK_FRAMES_MAX], uint8_t *row) {
    octets v[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        v[i] = zip_low(load_eight(slots[i]), load_eight(slots[i + 8]));
    }
#pragma GCC unroll 8
    for (size_t round = 0; round < 3; round++)
        zip_round(v);
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        memcpy(row + i * FRAME_SPAN, &v[i], 16);
}

static void demux_block(const uint8_t *row, uint8_t (*slots)[TICK_FRAMES_MAX]) {
    octets v[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        memcpy(&v[i], row + i * FRAME_SPAN, 16);
#pragma GCC unroll 8
    for (size_t round = 0; round < 3; round++)
        zip_round(v);
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        memcpy(slots[2 * i], &v[i], 8);
        memcpy(slots[2 * i + 1], (const uint8_t *)&v[i] + 8, 8);
    }
}

void mux(enum line_type type, unsigned group, slot_octets slots, line_signal line, size_t n) {
    unsigned first = mux_first(type, group);
    for (size_t frame = 0; frame < n; frame += 8)
        mux_block((uint8_t(*)[TICK_FRAMES_MAX]) & slots[first][frame], &line[frame][first]);
}

void demux(enum line_type type, unsigned group, const uint8_t (*line)[FRAME_SPAN], slot_octets slots, size_t n) {
    unsigned first = mux_first(type, group);
    for (size_t frame = 0; frame < n; frame += 8)
        demux_block(&line[frame][first], (uint8_t(*)[TICK_FRAMES_MAX]) & slots[first][frame]);
}
