// SPDX-License-Identifier: GPL-2.0-or-later
#include "e1.h"

#define FAS_BITS 7
#define FAS      0x1B
#define LENGTH   256

#define SIGNAL_BITS 6
#define SIGNAL      0x0B /* 001011. Source: G.704 table 5B */
#define TWO_MS      8    /* frames without the word */

/* Places (frame ends 1 to 256, first one highest) whose frame has that bit. */
static struct frame_bits places(const struct e1_search *search, const struct frame_bits *row, unsigned bit) {
    return frame_across(LINE_E1, &search->before, row, bit);
}

static struct frame_bits word_places(const struct e1_search *search, const struct frame_bits *row) {
    struct frame_bits all = {{~0ull, ~0ull, ~0ull, ~0ull}};
    for (unsigned i = 0; i < FAS_BITS; i++) {
        struct frame_bits bit = places(search, row, 2 + i);
        uint64_t flip = FAS >> (FAS_BITS - 1 - i) & 1 ? 0 : ~0ull;
        for (size_t w = 0; w < 4; w++)
            all.word[w] &= bit.word[w] ^ flip;
    }
    return all;
}

/* The first one behind `from`, round the end. */
static bool first_behind(const struct frame_bits *found, unsigned from, unsigned *end) {
    for (unsigned i = 0; i < LENGTH; i++) {
        unsigned place = (from + i) % LENGTH;
        if (found->word[place / 64] << place % 64 >> 63) {
            *end = place + 1;
            return true;
        }
    }
    return false;
}

bool e1_search(struct e1_search *search, const struct frame_bits *row, unsigned from, unsigned except, unsigned *end) {
    struct frame_bits fas = word_places(search, row), bit2 = places(search, row, 2), found;
    uint64_t any = 0;
    for (size_t w = 0; w < 4; w++)
        found.word[w] = search->fas[0].word[w] & search->bit2.word[w] & fas.word[w];
    if (except)
        found.word[(except - 1) / 64] &= ~(1ull << (63 - (except - 1) % 64));
    for (size_t w = 0; w < 4; w++)
        any |= found.word[w];
    search->fas[0] = search->fas[1];
    search->fas[1] = fas;
    search->bit2 = bit2;
    search->before = *row;
    return any && first_behind(&found, from, end);
}

bool e1_signal_feed(struct e1_signal *signal, bool bit) {
    signal->bits = (uint8_t)(signal->bits << 1 | bit);
    bool hit = (signal->bits & ((1 << SIGNAL_BITS) - 1)) == SIGNAL;
    uint32_t hits = signal->hits = signal->hits << 1 | hit;
    return hit && ((hits >> TWO_MS | hits >> 2 * TWO_MS | hits >> 3 * TWO_MS) & 1);
}
