// SPDX-License-Identifier: GPL-2.0-or-later
#include "e1.h"

#include <string.h>

#define FAS        0x1B
#define FAS_MASK   0x7F
#define NFAS       0x40
#define RAI        0x20
#define SPARE_MASK 0x1F

#define WRONG_IN_A_ROW  3    /* words, or bits 2 between them. Source: G.706 4.1.1 */
#define RAI_IN_A_ROW    3    /* A bits. Source: G.775 5.4 (two to five double frames) */
#define SIGNAL_END      11   /* the frame with the last bit of the multiframe alignment signal */
#define SEARCH_8_MS     64   /* frames */
#define SEARCH_400_MS   3200 /* Source: G.706 B.2 */
#define BLOCKS          1000 /* a second of submultiframes */
#define BLOCKS_ERRORED  915  /* frame alignment is false then. Source: G.706 4.3.2 */
#define OWED_MAX        8    /* E bits that a far end with another clock is behind */
#define CAS_WRONG       2    /* alignment signals. Source: G.732 5.2 */
#define CAS_LOST_FRAMES 32   /* two multiframes: finding it takes one */

enum look { GOES_ON, MOVED, LOST };

void e1_found(struct e1_rx *rx) {
    bool rai = rx->rai;
    uint8_t spare = rx->spare;
    memset(rx, 0, sizeof *rx);
    rx->rai = rai;
    rx->spare = spare;
    rx->frame = 1;
}

static void found_multiframe(struct e1_rx *rx) {
    rx->multiframe = MULTIFRAME_FOUND;
    rx->frame = SIGNAL_END + 1;
    rx->searching = 0;
    rx->summing = rx->summed = false;
    rx->blocks = rx->errored = 0;
    memset(&rx->sum, 0, sizeof rx->sum);
    memset(&rx->signal, 0, sizeof rx->signal);
    memset(&rx->contender, 0, sizeof rx->contender);
}

static enum look look_at_word(struct e1_rx *rx, struct framer_counts *counts, uint8_t octet) {
    rx->check = rx->check << 1 | octet >> 7;
    if ((octet & FAS_MASK) == FAS) {
        rx->fas_wrong = 0;
        return GOES_ON;
    }
    counts->fas++;
    return ++rx->fas_wrong < WRONG_IN_A_ROW ? GOES_ON : LOST;
}

bool e1_rai_known(const struct e1_rx *rx) {
    return rx->rai_looks >= RAI_IN_A_ROW;
}

static void look_at_rai(struct e1_rx *rx, bool rai) {
    rx->rai_looks += !e1_rai_known(rx);
    rx->rai_changing = rai == rx->rai ? 0 : rx->rai_changing + 1;
    if (rx->rai_changing >= RAI_IN_A_ROW) {
        rx->rai = rai;
        rx->rai_changing = 0;
    }
}

static enum look look_between_words(struct e1_rx *rx, const struct framing_config *config, struct framer_counts *counts,
                                    uint8_t octet) {
    rx->bit2_wrong = octet & NFAS ? 0 : rx->bit2_wrong + 1;
    if (rx->bit2_wrong >= WRONG_IN_A_ROW)
        return LOST;
    if (rx->fas_wrong == 0) { /* what begins as an AIS is no RAI */
        look_at_rai(rx, octet & RAI);
        rx->spare = octet & SPARE_MASK;
    }
    if (!config->crc4)
        return GOES_ON;
    if (rx->multiframe == MULTIFRAME_FOUND) {
        counts->ebit += rx->frame >= 13 && !(octet >> 7);
        return GOES_ON;
    }
    rx->searching += 2;
    if (rx->searching >= SEARCH_400_MS)
        rx->multiframe = MULTIFRAME_ABSENT;
    if (!e1_signal_feed(&rx->signal, octet >> 7))
        return GOES_ON;
    found_multiframe(rx);
    return MOVED;
}

/* Source: G.732 5.2 (loss after two wrong ones; found with the first right one) */
static void look_at_cas(struct e1_cas *cas, uint8_t octet) {
    bool signal = octet >> 4 == 0;
    if (!cas->found) {
        cas->found = signal;
        cas->frame = 0;
        cas->wrong = 0;
    } else if (cas->frame == 0) {
        cas->wrong = signal ? 0 : cas->wrong + 1;
        cas->found = cas->wrong < CAS_WRONG;
    }
    cas->missing = cas->found ? 0 : cas->missing + (cas->missing < CAS_LOST_FRAMES);
    cas->frame = (cas->frame + 1) % 16;
}

/* A submultiframe is over: its CRC bits are those of the one before. True when alignment must be false. */
static bool compare(struct e1_rx *rx, struct framer_counts *counts, unsigned *owed) {
    unsigned crc = crc4_take(&rx->sum);
    bool errored = rx->summed && (rx->check & 0xF) != rx->crc;
    if (errored) {
        unsigned *before = &owed[rx->frame == 0 ? 0 : 1];
        *before += *before < OWED_MAX;
        counts->crc++;
        rx->errored++;
    }
    rx->blocks += rx->summed;
    rx->summed = rx->summing;
    rx->summing = true;
    rx->crc = crc;
    bool false_alignment = rx->errored >= BLOCKS_ERRORED;
    if (rx->blocks == BLOCKS)
        rx->blocks = rx->errored = 0;
    return false_alignment;
}

static enum look look(struct e1_rx *rx, const struct framing_config *config, struct framer_counts *counts,
                      const uint8_t *row) {
    enum look result =
        rx->frame % 2 ? look_between_words(rx, config, counts, row[0]) : look_at_word(rx, counts, row[0]);
    if (config->cas)
        look_at_cas(&rx->cas, row[16]);
    rx->frame = result == MOVED ? rx->frame : (rx->frame + 1) % 16;
    return result;
}

size_t e1_receive(struct e1_rx *rx, const struct framing_config *config, struct framer_counts *counts, unsigned *owed,
                  const uint8_t (*rows)[FRAME_SPAN], size_t n, bool *lost) {
    size_t at = 0;
    *lost = false;
    while (at < n && !*lost) {
        size_t first = rx->frame % CRC4_FRAMES, run = 0;
        size_t most = CRC4_FRAMES - first < n - at ? CRC4_FRAMES - first : n - at;
        enum look result = GOES_ON;
        while (run < most && result == GOES_ON)
            result = look(rx, config, counts, rows[at + run++]);
        *lost = result == LOST;
        if (rx->multiframe == MULTIFRAME_FOUND && result == GOES_ON) {
            crc4_add(&rx->sum, first, rows + at, run);
            if (rx->frame % CRC4_FRAMES == 0)
                *lost = compare(rx, counts, owed);
        }
        at += run;
    }
    counts->severe += *lost;
    return at;
}

bool e1_contend(struct e1_rx *rx, unsigned *end, const struct frame_bits *row) {
    struct e1_contender *contender = &rx->contender;
    if (!contender->end) {
        unsigned from = contender->from ? contender->from : *end;
        if (e1_search(&contender->search, row, from, *end, &contender->end))
            contender->frames = 1;
        return false;
    }
    struct frame_bits frame = frame_across(LINE_E1, &contender->search.before, row, contender->end);
    uint8_t octet = (uint8_t)(frame.word[0] >> 56);
    bool word = contender->frames++ % 2 == 0;
    contender->search.before = *row;
    if (word)
        contender->wrong = (octet & FAS_MASK) == FAS ? 0 : contender->wrong + 1;
    bool found = !word && e1_signal_feed(&contender->signal, octet >> 7);
    if (found) {
        *end = contender->end;
        found_multiframe(rx);
    } else if (contender->frames > SEARCH_8_MS || contender->wrong >= WRONG_IN_A_ROW) {
        *contender = (struct e1_contender){.search.before = *row, .from = contender->end};
    }
    return found;
}

bool e1_multiframe_lost(const struct e1_rx *rx, const struct framing_config *config) {
    return config->crc4 && rx->multiframe != MULTIFRAME_FOUND && rx->searching >= SEARCH_8_MS;
}

bool e1_cas_lost(const struct e1_rx *rx, const struct framing_config *config) {
    return config->cas && rx->cas.missing >= CAS_LOST_FRAMES;
}
