// SPDX-License-Identifier: GPL-2.0-or-later
#include "hdlc.h"

#include "hdlc_tables.h"

#include <string.h>

#define FLAG_SPURIOUS 6 /* a flag's zero and five ones were taken for frame bits before it was known */
#define FCS_GOOD      0xF0B8

static uint16_t fcs_run(const uint8_t *octets, size_t n) {
    unsigned fcs = 0xFFFF;
    for (; n >= 8; n -= 8, octets += 8) {
        unsigned a = octets[0] ^ (fcs & 0xFF), b = octets[1] ^ fcs >> 8;
        fcs = hdlc_fcs_slice[7][a] ^ hdlc_fcs_slice[6][b] ^ hdlc_fcs_slice[5][octets[2]] ^
              hdlc_fcs_slice[4][octets[3]] ^ hdlc_fcs_slice[3][octets[4]] ^ hdlc_fcs_slice[2][octets[5]] ^
              hdlc_fcs_slice[1][octets[6]] ^ hdlc_fcs_slice[0][octets[7]];
    }
    while (n--)
        fcs = fcs >> 8 ^ hdlc_fcs_slice[0][(fcs ^ *octets++) & 0xFF];
    return (uint16_t)fcs;
}

uint16_t hdlc_fcs(const uint8_t *octets, size_t n) {
    return (uint16_t)~fcs_run(octets, n);
}

/* Line bits on their way into octets; `acc` holds the last `bits` of them, first one highest. */
struct bit_writer {
    uint64_t acc;
    unsigned bits;
    uint8_t *out;
};

static void flush(struct bit_writer *w) {
    if (w->bits < 8)
        return;
    uint64_t first = __builtin_bswap64(w->acc << (64 - w->bits));
    memcpy(w->out, &first, sizeof first);
    w->out += w->bits >> 3;
    w->bits &= 7;
}

static void put(struct bit_writer *w, unsigned value, unsigned bits) {
    w->acc = w->acc << bits | value;
    w->bits += bits;
}

/* Stuffed octets; returns the ones in a row at the end. Only an octet of all ones lets an earlier run show at its
 * end, so the table of the next octet never waits for this one's. */
static unsigned put_octets(struct bit_writer *w, const uint8_t *octets, size_t n, unsigned ones) {
    while (n) {
        size_t batch = n < 5 ? n : 5; /* 7 + 5 * 10 bits fit the accumulator */
        for (size_t i = 0; i < batch; i++) {
            unsigned octet = octets[i];
            const struct hdlc_stuffed *s = &hdlc_stuff[ones][octet];
            put(w, s->line, s->bits);
            ones = octet == 0xFF ? s->ones : hdlc_stuff[0][octet].ones;
        }
        flush(w);
        octets += batch;
        n -= batch;
    }
    return ones;
}

void hdlc_tx_init(struct hdlc_tx *tx, unsigned extra_flags) {
    memset(tx, 0, sizeof *tx);
    tx->extra_flags = extra_flags > 16 ? 16 : extra_flags;
}

/* A frame brings a flag of its own unless it shares the one before: who began to listen just now has seen none. */
bool hdlc_tx_load(struct hdlc_tx *tx, const uint8_t *frame, size_t length) {
    if (tx->at < tx->end || length == 0 || length + HDLC_FCS > HDLC_LIMIT)
        return false;
    struct bit_writer w = {tx->residue, tx->residue_bits, tx->staged};
    uint16_t fcs = hdlc_fcs(frame, length);
    uint8_t tail[HDLC_FCS] = {(uint8_t)fcs, (uint8_t)(fcs >> 8)};
    for (unsigned i = 0; i < tx->extra_flags + !tx->after_frame; i++) {
        put(&w, HDLC_FLAG, 8);
        flush(&w);
    }
    unsigned ones = put_octets(&w, frame, length, 0);
    put_octets(&w, tail, HDLC_FCS, ones);
    put(&w, HDLC_FLAG, 8);
    flush(&w);
    tx->residue = (unsigned)w.acc & ((1u << w.bits) - 1);
    tx->residue_bits = w.bits;
    tx->at = 0;
    tx->end = (size_t)(w.out - tx->staged);
    tx->after_frame = true;
    tx->frames++;
    return true;
}

size_t hdlc_tx_send(struct hdlc_tx *tx, uint8_t *out, size_t n) {
    size_t left = tx->end - tx->at;
    if (n > left)
        n = left;
    memcpy(out, tx->staged + tx->at, n);
    tx->at += n;
    return n;
}

void hdlc_tx_idle(struct hdlc_tx *tx, uint8_t *out, size_t n) {
    if (n == 0)
        return;
    /* After the first octet every one is the tail of a flag and the head of the next, always at the same place. */
    unsigned head = HDLC_FLAG >> tx->residue_bits;
    unsigned tail = HDLC_FLAG & ((1u << tx->residue_bits) - 1);
    out[0] = (uint8_t)(tx->residue << (8 - tx->residue_bits) | head);
    memset(out + 1, (int)(tail << (8 - tx->residue_bits) | head) & 0xFF, n - 1);
    tx->residue = tail;
    tx->after_frame = false;
}

void hdlc_tx_abort(struct hdlc_tx *tx) {
    if (tx->at == tx->end)
        return;
    tx->staged[0] = 0xFF;
    tx->at = 0;
    tx->end = 1;
    tx->residue = tx->residue_bits = 0;
    tx->after_frame = false;
}

void hdlc_rx_init(struct hdlc_rx *rx, size_t limit) {
    memset(rx, 0, sizeof *rx);
    rx->limit = limit > HDLC_LIMIT ? HDLC_LIMIT : limit;
}

static void begin_frame(struct hdlc_rx *rx) {
    rx->acc = 0;
    rx->bits = 0;
    rx->length = 0;
    rx->in_frame = true;
}

/* Whole octets go to the frame (x86 and ARM store the first bits first), and the frame may be too long. */
static void spill(struct hdlc_rx *rx) {
    memcpy(rx->frame + rx->length, &rx->acc, sizeof rx->acc);
    rx->length += rx->bits >> 3;
    rx->acc >>= rx->bits & ~7u;
    rx->bits &= 7;
    if (rx->in_frame && 8 * rx->length + rx->bits > 8 * rx->limit + FLAG_SPURIOUS) {
        rx->counts.overlong++;
        rx->in_frame = false;
    }
}

/* A flag came: octets of the good frame it ends, with FCS, or 0. */
static size_t end_frame(struct hdlc_rx *rx) {
    /* After five ones (on a bad line) the flag's zero was taken for a stuffed one. */
    size_t bits = 8 * rx->length + rx->bits, spurious = rx->unstuffed ? FLAG_SPURIOUS - 1 : FLAG_SPURIOUS;
    if (!rx->in_frame || bits <= spurious)
        return 0;
    bits -= spurious;
    if (bits > 8 * rx->limit)
        rx->counts.overlong++;
    else if (bits < 8 * HDLC_MIN)
        rx->counts.shorts++;
    else if (bits % 8)
        rx->counts.misaligned++;
    else if (fcs_run(rx->frame, bits / 8) != FCS_GOOD)
        rx->counts.fcs_errors++;
    else {
        rx->counts.frames++;
        return bits / 8;
    }
    return 0;
}

static void abort_frame(struct hdlc_rx *rx) {
    /* Five ones of the run were taken for frame bits; ones right after a flag are an idle line. */
    if (rx->in_frame && 8 * rx->length + rx->bits > 5)
        rx->counts.aborts++;
    rx->in_frame = false;
}

static void take_bit(struct hdlc_rx *rx, unsigned value) {
    rx->acc |= (uint64_t)value << rx->bits++;
    if (rx->bits == 8 || 8 * rx->length + rx->bits > 8 * rx->limit + FLAG_SPURIOUS)
        spill(rx);
}

/* One line octet, bit by bit; returns the octets of a frame that ended in it, or 0. */
static size_t look_at_bits(struct hdlc_rx *rx, unsigned octet) {
    size_t ended = 0;
    for (int bit = 7; bit >= 0; bit--) {
        if (octet >> bit & 1) {
            if (rx->ones < 7 && ++rx->ones == 7)
                abort_frame(rx);
            else if (rx->ones <= 5 && rx->in_frame)
                take_bit(rx, 1);
            continue;
        }
        if (rx->ones == 6) {
            size_t length = end_frame(rx);
            ended = length ? length : ended;
            begin_frame(rx);
        } else if (rx->ones < 5 && rx->in_frame) {
            take_bit(rx, 0);
        }
        rx->unstuffed = rx->ones == 5;
        rx->ones = 0;
    }
    return ended;
}

/* Line octets without a flag or abort in them; returns how many there were. */
static size_t take_plain(struct hdlc_rx *rx, const uint8_t *in, size_t n) {
    size_t taken = 0;
    while (taken < n && rx->in_frame) {
        size_t batch = n - taken < 7 ? n - taken : 7; /* 7 + 7 * 8 bits fit the accumulator */
        size_t i = 0;
        uint64_t acc = rx->acc;
        unsigned bits = rx->bits, ones = rx->ones;
        for (; i < batch; i++) {
            const struct hdlc_plain *p = &hdlc_unstuff[ones][in[taken + i]];
            if (p->event)
                break;
            acc |= (uint64_t)p->frame << bits;
            bits += p->bits;
            ones = p->ones;
            rx->unstuffed = p->unstuffed;
        }
        rx->acc = acc;
        rx->bits = bits;
        rx->ones = ones;
        spill(rx);
        taken += i;
        if (i < batch)
            break;
    }
    return taken;
}

static size_t same_octets(const uint8_t *in, size_t n, uint8_t octet) {
    uint64_t pattern = octet * 0x0101010101010101u, word;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, in + i, sizeof word);
        if (word != pattern)
            break;
    }
    while (i < n && in[i] == octet)
        i++;
    return i;
}

size_t hdlc_rx_feed(struct hdlc_rx *rx, const uint8_t *in, size_t n, size_t *length) {
    size_t at = 0;
    *length = 0;
    while (at < n) {
        if (rx->in_frame)
            at += take_plain(rx, in + at, n - at);
        if (at == n)
            break;
        bool idle = rx->length == 0;
        uint64_t acc = rx->acc;
        unsigned bits = rx->bits, ones = rx->ones;
        bool in_frame = rx->in_frame;
        uint8_t octet = in[at++];
        if ((*length = look_at_bits(rx, octet)))
            break;
        /* An octet that leaves everything as it was (flags, marks) does so again. */
        if (idle && rx->length == 0 && rx->acc == acc && rx->bits == bits && rx->ones == ones &&
            rx->in_frame == in_frame)
            at += same_octets(in + at, n - at, octet);
    }
    return at;
}
