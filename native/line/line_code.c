// SPDX-License-Identifier: GPL-2.0-or-later
#include "line_code.h"

#define B8ZS_ZEROS 8
#define HDB3_ZEROS 4

/* The place of the symbol so many before the newest. */
static unsigned back(const struct line_code *code, unsigned by) {
    return (code->at - by) % LINE_CODE_WINDOW;
}

/* 000VB0VB takes the place of eight zeros. */
static void substitute_b8zs(struct line_code *code) {
    int8_t v = code->sent_last, b = (int8_t)-v;
    code->sent[back(code, 4)] = v;
    code->sent[back(code, 3)] = b;
    code->sent[back(code, 1)] = b;
    code->sent[back(code, 0)] = v;
}

/* 000V or B00V takes the place of four zeros, so that violations alternate. */
static void substitute_hdb3(struct line_code *code) {
    if (!code->odd)
        code->sent[back(code, 3)] = code->sent_last = (int8_t)-code->sent_last;
    code->sent[back(code, 0)] = code->sent_last;
    code->odd = false;
}

static void encode(struct line_code *code, enum line_coding coding, bool bit) {
    if (bit) {
        code->sent_last = code->sent_last > 0 ? -1 : 1;
        code->odd = !code->odd;
    }
    code->sent[code->at] = bit ? code->sent_last : 0;
    code->zeros = bit ? 0 : code->zeros + 1;
    if (coding == CODING_B8ZS && code->zeros == B8ZS_ZEROS) {
        substitute_b8zs(code);
        code->zeros = 0;
    } else if (coding == CODING_HDB3 && code->zeros == HDB3_ZEROS) {
        substitute_hdb3(code);
        code->zeros = 0;
    }
}

static void read_zeros(struct line_code *code, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        code->read[back(code, i)] = code->wrong[back(code, i)] = 0;
}

/* Whether the last eight pulses are 000VB0VB; the first V repeats the pulse before them. */
static bool is_b8zs(const struct line_code *code) {
    static const int8_t pattern[B8ZS_ZEROS] = {1, -1, 0, -1, 1, 0, 0, 0}; /* newest first */
    int8_t v = code->pulses[back(code, 0)];
    bool same = v != 0 && code->wrong[back(code, 4)] && code->wrong[back(code, 1)];
    for (unsigned i = 0; i < B8ZS_ZEROS; i++)
        same &= code->pulses[back(code, i)] == pattern[i] * v;
    return same;
}

/* A violation behind two zeros is a substitution's; one like the last of them is wrong. Source: O.161 2.1 (HDB3) */
static void read_hdb3(struct line_code *code) {
    int8_t v = code->pulses[back(code, 0)];
    if (!code->wrong[back(code, 0)] || code->pulses[back(code, 1)] || code->pulses[back(code, 2)])
        return;
    read_zeros(code, HDB3_ZEROS);
    code->wrong[back(code, 0)] = v == code->violation_last;
    code->violation_last = v;
}

static void decode(struct line_code *code, enum line_coding coding, int8_t pulse) {
    code->pulses[code->at] = pulse;
    code->read[code->at] = pulse != 0;
    code->wrong[code->at] = pulse != 0 && pulse == code->read_last;
    code->silence = pulse || !code->read_last ? 0 : code->silence + 1; /* before the first pulse there is no line */
    if (pulse)
        code->read_last = pulse;
    if (coding == CODING_B8ZS && is_b8zs(code))
        read_zeros(code, B8ZS_ZEROS);
    else if (coding == CODING_HDB3)
        read_hdb3(code);
    /* Source: T1.231 (excessive zeros: more than seven with B8ZS) */
    if (coding == CODING_B8ZS && code->silence == B8ZS_ZEROS)
        code->wrong[code->at] = true;
}

uint64_t line_code_pass(struct line_code *code, enum line_coding sent, enum line_coding read, enum line_type type,
                        uint8_t (*rows)[FRAME_SPAN], size_t n) {
    uint64_t violations = 0;
    for (size_t row = 0; row < n; row++) {
        struct frame_bits bits = frame_load(type, rows[row]);
        for (unsigned i = 0; i < frame_length(type); i++) {
            uint64_t *word = &bits.word[i / 64], mask = 1ull << (63 - i % 64);
            int8_t oldest = code->sent[code->at];
            bool out = code->read[code->at];
            violations += code->wrong[code->at];
            encode(code, sent, *word & mask);
            decode(code, read, oldest);
            *word = out ? *word | mask : *word & ~mask;
            code->at = (code->at + 1) % LINE_CODE_WINDOW;
        }
        frame_store(type, &bits, rows[row]);
    }
    return violations;
}
