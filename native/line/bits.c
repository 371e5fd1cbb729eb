// SPDX-License-Identifier: GPL-2.0-or-later
#include "bits.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BIT (1ull << 63)

static uint64_t load(const uint8_t *octets) {
    uint64_t word;
    memcpy(&word, octets, sizeof word);
    return be64toh(word);
}

static void store(uint64_t word, uint8_t *octets) {
    word = htobe64(word);
    memcpy(octets, &word, sizeof word);
}

struct frame_bits frame_load(enum line_type type, const uint8_t *row) {
    if (type == LINE_E1)
        return (struct frame_bits){{load(row), load(row + 8), load(row + 16), load(row + 24)}};
    uint64_t first = load(row + 1), second = load(row + 9), third = load(row + 17);
    uint64_t f_bit = row[0] & 0x80 ? FIRST_BIT : 0;
    return (struct frame_bits){{f_bit | first >> 1, first << 63 | second >> 1, second << 63 | third >> 1, third << 63}};
}

void frame_store(enum line_type type, const struct frame_bits *bits, uint8_t *row) {
    const uint64_t *word = bits->word;
    if (type == LINE_E1) {
        for (size_t i = 0; i < 4; i++)
            store(word[i], row + 8 * i);
        return;
    }
    row[0] = word[0] & FIRST_BIT ? 0x80 : 0;
    for (size_t i = 0; i < 3; i++)
        store(word[i] << 1 | word[i + 1] >> 63, row + 1 + 8 * i);
}

/* Bits first + 1 … of 512. */
static uint64_t take(const uint64_t *words, unsigned first) {
    unsigned place = first / 64, shift = first % 64;
    return shift ? words[place] << shift | words[place + 1] >> (64 - shift) : words[place];
}

struct frame_bits frame_across(enum line_type type, const struct frame_bits *before, const struct frame_bits *row,
                               unsigned end) {
    unsigned length = frame_length(type);
    if (end == length)
        return *row;
    uint64_t both[9] = {0};
    memcpy(both, before, sizeof *before);
    if (type == LINE_E1)
        memcpy(both + 4, row, sizeof *row);
    else { /* 193 = 3 * 64 + 1: the row begins at the second bit of word 3 */
        both[3] |= row->word[0] >> 1;
        for (size_t i = 1; i < 4; i++)
            both[3 + i] = row->word[i - 1] << 63 | row->word[i] >> 1;
        both[7] = row->word[3] << 63;
    }
    struct frame_bits bits;
    for (unsigned i = 0; i < 4; i++)
        bits.word[i] = take(both, end + 64 * i);
    if (type == LINE_T1)
        bits.word[3] &= FIRST_BIT;
    return bits;
}

void frames_align(enum line_type type, struct frame_bits before, unsigned end, const uint8_t (*line)[FRAME_SPAN],
                  uint8_t (*frames)[FRAME_SPAN], size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct frame_bits row = frame_load(type, line[i]);
        struct frame_bits frame = frame_across(type, &before, &row, end);
        frame_store(type, &frame, frames[i]);
        before = row;
    }
}

unsigned frame_zeros(enum line_type type, const uint8_t *row) {
    struct frame_bits bits = frame_load(type, row);
    int ones = 0;
    for (size_t i = 0; i < 4; i++)
        ones += __builtin_popcountll(bits.word[i]);
    return frame_length(type) - (unsigned)ones;
}

bool line_delay_set(struct line_delay *delay, enum line_type type, unsigned bits) {
    size_t rows = bits ? bits / frame_length(type) + 2 : 0;
    void *held = rows ? calloc(rows, FRAME_SPAN) : NULL;
    if (rows && !held)
        return false;
    free(delay->held);
    *delay = (struct line_delay){.bits = bits, .rows = rows, .held = held};
    return true;
}

void line_delay_run(struct line_delay *delay, enum line_type type, line_signal line, size_t n) {
    if (!delay->bits)
        return;
    unsigned length = frame_length(type), end = length - delay->bits % length;
    for (size_t i = 0; i < n; i++) {
        memcpy(delay->held[delay->at], line[i], FRAME_SPAN);
        delay->at = (delay->at + 1) % delay->rows; /* the oldest, and the one after it */
        struct frame_bits before = frame_load(type, delay->held[delay->at]);
        struct frame_bits row = frame_load(type, delay->held[(delay->at + 1) % delay->rows]);
        struct frame_bits out = frame_across(type, &before, &row, end);
        frame_store(type, &out, line[i]);
    }
}
