// SPDX-License-Identifier: GPL-2.0-or-later
#include "way.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define BIT_ERROR_RATE_MAX 0.5
#define DELAY_BITS_MAX     (2048u * 1000u) /* a second of an E1 */
#define LOSS_DB_MAX        100.0

void way_init(struct way *way, enum line_type type, uint64_t seed) {
    memset(way, 0, sizeof *way);
    way->type = type;
    way->random = seed;
}

void way_mend(struct way *way) {
    line_delay_set(&way->delay, way->type, 0);
    uint64_t random = way->random, errors = way->errors;
    way_init(way, way->type, random);
    way->errors = errors;
}

/* The next of a sequence of 64 random bits (splitmix64). */
static uint64_t draw(struct way *way) {
    uint64_t z = way->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Good bits before an error: how long a run without success is when each trial succeeds at that rate. */
static uint64_t draw_gap(struct way *way, double rate) {
    double above_zero = (double)((draw(way) >> 11) + 1) * 0x1p-53;
    double gap = floor(log(above_zero) / log1p(-rate));
    return gap < 0x1p62 ? (uint64_t)gap : 1ull << 62;
}

static int start_noise(struct way *way, struct noise *noise, double rate, uint64_t frames) {
    if (!(rate >= 0 && rate <= BIT_ERROR_RATE_MAX))
        return -EINVAL;
    noise->rate = rate;
    noise->left = rate > 0 ? frames : 0;
    noise->gap = rate > 0 ? draw_gap(way, rate) : 0;
    return 0;
}

static int start_delay(struct way *way, double bits) {
    if (!(bits >= 0 && bits <= DELAY_BITS_MAX))
        return -EINVAL;
    return line_delay_set(&way->delay, way->type, (unsigned)bits) ? 0 : -ENOMEM;
}

static int start_flap(struct way *way, double times, uint64_t period) {
    if (!(times >= 0 && times < 0x1p53) || period < 2 || period == WAY_FOREVER)
        return -EINVAL;
    way->flap_left = (uint64_t)times;
    way->flap_period = period;
    way->flap_at = 0;
    return 0;
}

static int start_number(uint64_t *left, double number) {
    if (!(number >= 0 && number < 0x1p53))
        return -EINVAL;
    *left = (uint64_t)number;
    return 0;
}

int way_fault(struct way *way, enum fault fault, double value, uint64_t frames) {
    switch (fault) {
    case FAULT_CUT:
        way->cut = value != 0 ? frames : 0;
        return 0;
    case FAULT_AIS:
        way->ais = value != 0 ? frames : 0;
        return 0;
    case FAULT_BIT_ERRORS:
        return start_noise(way, &way->steady, value, WAY_FOREVER);
    case FAULT_BURST:
        return start_noise(way, &way->burst, value, frames);
    case FAULT_FRAMING:
        return start_number(&way->framing, value);
    case FAULT_CRC:
        return start_number(&way->crc, value);
    case FAULT_VIOLATIONS:
        return start_number(&way->violations, value);
    case FAULT_FLAP:
        return start_flap(way, value, frames);
    case FAULT_DELAY:
        return start_delay(way, value);
    case FAULT_LOSS:
        if (!(value >= 0 && value <= LOSS_DB_MAX))
            return -EINVAL;
        way->loss_db = value;
        return 0;
    default:
        return -EINVAL;
    }
}

void way_read_status(const struct way *way, struct way_status *status) {
    *status = (struct way_status){
        .cut = way->cut != 0,
        .ais = way->ais != 0,
        .flapping = way->flap_left != 0,
        .bit_error_rate = way->steady.rate,
        .burst_rate = way->burst.left ? way->burst.rate : 0,
        .framing = way->framing,
        .crc = way->crc,
        .violations = way->violations,
        .flaps = way->flap_left,
        .delay_bits = way->delay.bits,
        .loss_db = way->loss_db,
        .errors = way->errors,
    };
}

/* The arrival's bits, for writing. */
static uint8_t (*writable(struct arrival *arrival, line_signal room))[FRAME_SPAN] {
    if (arrival->line != (const uint8_t(*)[FRAME_SPAN])room) {
        memcpy(room, arrival->line, arrival->frames * FRAME_SPAN);
        arrival->line = (const uint8_t(*)[FRAME_SPAN])room;
    }
    return room;
}

/* Time goes on for something that lasts; whether it does in this tick. */
static bool lasts(uint64_t *left, size_t frames) {
    if (!*left)
        return false;
    if (*left != WAY_FOREVER)
        *left -= frames < *left ? frames : *left;
    return true;
}

static void invert(struct way *way, struct arrival *arrival, line_signal room, size_t frame, size_t bit) {
    size_t at = way->type == LINE_E1 ? bit : bit ? bit + 7 : 0; /* T1: the F bit has an octet of its own */
    writable(arrival, room)[frame][at / 8] ^= (uint8_t)(0x80 >> at % 8);
    way->errors++;
}

static void make_noise(struct way *way, struct noise *noise, struct arrival *arrival, line_signal room) {
    if (!lasts(&noise->left, arrival->frames) || !arrival->signal)
        return;
    size_t frame = frame_length(way->type), bits = arrival->frames * frame, at = 0;
    while (noise->gap < bits - at) {
        at += noise->gap;
        invert(way, arrival, room, at / frame, at % frame);
        /* A pulse too many or too few breaks the alternation. */
        arrival->violations++;
        noise->gap = draw_gap(way, noise->rate);
        if (++at == bits)
            return;
    }
    noise->gap -= bits - at;
}

/* Every how many frames there is a frame alignment bit to hit, the first of them, and where in the frame it is. Source:
 * G.704 2.3.2 (E1: timeslot 0 of every other frame), 2.1.3.2 (D4: Ft in odd frames), 2.1.3.1 (ESF: frames 4, 8 ...). */
static void hit_framing(struct way *way, struct arrival *arrival, line_signal room) {
    size_t every = arrival->esf ? 4 : 2;
    size_t first = every == 4 ? 3 : 0;
    for (size_t i = 0; way->framing && i < arrival->frames; i++)
        if ((arrival->place + i) % every == first) {
            invert(way, arrival, room, i, way->type == LINE_E1 ? 3 : 0);
            way->framing--;
        }
}

/* One payload bit in each CRC block, behind the CRC's back. Source: G.706 (E1: 8 frames; ESF: 24). */
static void hit_crc(struct way *way, struct arrival *arrival, line_signal room) {
    size_t block = way->type == LINE_E1 ? 8 : 24;
    for (size_t i = 0; way->crc && i < arrival->frames; i++)
        if ((arrival->place + i) % block == 1) {
            invert(way, arrival, room, i, 8 + draw(way) % 184);
            way->crc--;
        }
}

static bool flapping(struct way *way, size_t frames) {
    if (!way->flap_left)
        return false;
    bool down = way->flap_at < way->flap_period / 2;
    way->flap_at += frames;
    if (way->flap_at >= way->flap_period) {
        way->flap_at -= way->flap_period;
        way->flap_left--;
    }
    return down;
}

/* Errors that were made at the sender's end of the way, while frames are still on their rows: a delay moves them. */
static void spoil(struct way *way, struct arrival *arrival, line_signal room) {
    if (way->framing)
        hit_framing(way, arrival, room);
    if (way->crc)
        hit_crc(way, arrival, room);
    arrival->violations += way->violations;
    way->violations = 0;
}

/* Whether the signal is gone on the way: cut, down in a flap, faded. */
static bool is_gone(struct way *way, const struct arrival *arrival) {
    bool cut = lasts(&way->cut, arrival->frames), down = flapping(way, arrival->frames);
    return cut || down || arrival->level_db <= -WAY_LOS_DB;
}

void way_pass(struct way *way, struct arrival *arrival, line_signal room) {
    if (arrival->signal)
        spoil(way, arrival, room);
    if (way->delay.bits)
        line_delay_run(&way->delay, way->type, writable(arrival, room), arrival->frames);
    arrival->level_db -= way->loss_db;
    if (lasts(&way->ais, arrival->frames)) {
        memset(room, 0xFF, arrival->frames * FRAME_SPAN);
        arrival->line = (const uint8_t(*)[FRAME_SPAN])room;
        arrival->signal = true;
    }
    if (is_gone(way, arrival))
        arrival->signal = false;
    make_noise(way, &way->steady, arrival, room);
    make_noise(way, &way->burst, arrival, room);
}
