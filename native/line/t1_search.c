// SPDX-License-Identifier: GPL-2.0-or-later
#include "t1.h"

#include <string.h>

#define LENGTH     193
#define TESTS      24 /* framing bits that a place must show: chance leaves none of 24 * 193 */
#define TRIAL_GOOD 2  /* CRCs in a row that choose between several places */

int t1_check_feed(struct t1_check *check, unsigned frame, const uint8_t (*row)[FRAME_SPAN]) {
    if (frame % 4 == 1)
        check->bits = check->bits << 1 | row[0][0] >> 7;
    crc6_add(&check->sum, frame, row, 1);
    if (frame < CRC6_FRAMES - 1)
        return -1;
    int result = check->summed ? (check->bits & 0x3F) != check->crc : -1;
    check->crc = crc6_take(&check->sum);
    check->summed = check->summing;
    check->summing = true;
    return result;
}

void t1_search_begin(struct t1_search *search) {
    struct frame_bits before = search->before;
    memset(search, 0, sizeof *search);
    search->before = before;
    memset(search->alive, 0xFF, sizeof search->alive);
    for (size_t i = 0; i < CRC6_FRAMES; i++)
        search->alive[i].word[3] = 1ull << 63;
}

static bool is_alive(const struct frame_bits *alive, unsigned end) {
    return alive->word[(end - 1) / 64] << (end - 1) % 64 >> 63;
}

static void kill(struct frame_bits *alive, unsigned end) {
    alive->word[(end - 1) / 64] &= ~(1ull << (63 - (end - 1) % 64));
}

/* How many are left, and the first of them. */
static unsigned left(const struct t1_search *search, unsigned frames, unsigned *end, unsigned *began) {
    unsigned count = 0;
    for (unsigned i = frames; i--;)
        for (unsigned w = 4; w--;) {
            uint64_t word = search->alive[i].word[w];
            if (!word)
                continue;
            count += (unsigned)__builtin_popcountll(word);
            *end = w * 64 + (unsigned)__builtin_clzll(word) + 1;
            *began = i;
        }
    return count;
}

/* The framing bits of this row say which places are wrong. */
static void eliminate(struct t1_search *search, enum framing framing, const struct frame_bits *row) {
    unsigned frames = t1_superframe(framing);
    struct frame_bits f_bits = frame_across(LINE_T1, &search->before, row, 1);
    for (unsigned began = 0; began < frames; began++) {
        int expected = t1_framing_bit(framing, (began + search->frames) % frames);
        for (size_t w = 0; expected >= 0 && w < 4; w++)
            search->alive[began].word[w] &= expected ? f_bits.word[w] : ~f_bits.word[w];
    }
}

/* Several are left: someone's data look like framing. The CRC-6 refuses them. Source: T1.403 (ESF, CRC-6). */
static bool try_one(struct t1_search *search, const struct frame_bits *row, unsigned end, unsigned began) {
    if (!search->trial_end || !is_alive(&search->alive[search->trial_frame], search->trial_end)) {
        search->trial_end = end;
        search->trial_frame = began;
        search->trial_good = 0;
        search->trial_begun = false;
        memset(&search->trial, 0, sizeof search->trial);
    }
    unsigned frame = (search->trial_frame + search->frames) % CRC6_FRAMES;
    search->trial_begun |= frame == 0;
    if (!search->trial_begun)
        return false;
    struct frame_bits bits = frame_across(LINE_T1, &search->before, row, search->trial_end);
    uint8_t octets[1][FRAME_SPAN];
    memset(octets, 0, sizeof octets);
    frame_store(LINE_T1, &bits, octets[0]);
    switch (t1_check_feed(&search->trial, frame, (const uint8_t(*)[FRAME_SPAN])octets)) {
    case 0:
        return ++search->trial_good == TRIAL_GOOD;
    case 1:
        kill(&search->alive[search->trial_frame], search->trial_end);
        search->trial_end = 0;
    }
    return false;
}

bool t1_search(struct t1_search *search, enum framing framing, const struct frame_bits *row, unsigned *end,
               unsigned *frame) {
    unsigned frames = t1_superframe(framing), began = 0;
    eliminate(search, framing, row);
    bool found = false;
    if (search->frames >= TESTS * (framing == FRAMING_D4 ? 1 : 4)) {
        unsigned count = left(search, frames, end, &began);
        found = count == 1;
        if (count > 1 && framing == FRAMING_ESF && try_one(search, row, *end, began)) {
            *end = search->trial_end;
            began = search->trial_frame;
            found = true;
        }
        if (count == 0) {
            search->before = *row;
            t1_search_begin(search);
            return false;
        }
    }
    *frame = (began + search->frames) % frames;
    search->frames++;
    search->before = *row;
    return found;
}
