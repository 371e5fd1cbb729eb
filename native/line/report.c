// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <string.h>

#define FRAMES_A_SECOND 8000
#define SAPI_FROM_USER  0x38 /* SAPI 14, C/R 0; the carrier's has C/R 1 */
#define FROM_CARRIER    0x02
#define TEI             0x01
#define UNACKNOWLEDGED  0x03
#define HEADER          3

/* Source: T1.403 (performance report message: ranges of CRC error events) */
static const struct {
    uint64_t from;
    uint16_t bit;
} ranges[] = {{320, REPORT_G6}, {101, REPORT_G5}, {11, REPORT_G4}, {6, REPORT_G3}, {2, REPORT_G2}, {1, REPORT_G1}};

static uint16_t crc_range(uint64_t errors) {
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (errors >= ranges[i].from)
            return ranges[i].bit;
    return 0;
}

static uint16_t second(const struct report_tx *tx, const struct report_counts *now) {
    const struct report_counts *before = &tx->before;
    unsigned word = crc_range(now->crc - before->crc) | (tx->number & REPORT_NUMBER);
    if (tx->faulty || now->severe != before->severe)
        word |= REPORT_SE;
    else if (now->fas != before->fas)
        word |= REPORT_FE;
    if (now->violations != before->violations)
        word |= REPORT_LV;
    if (now->slips != before->slips)
        word |= REPORT_SL;
    if (tx->looped)
        word |= REPORT_LB;
    return (uint16_t)word;
}

void report_begin(struct report_tx *tx, const struct report_counts *counts) {
    tx->frames = 0;
    tx->before = *counts;
    for (size_t i = 0; i < REPORT_SECONDS; i++)
        tx->seconds[i] = REPORT_SE;
}

bool report_elapse(struct report_tx *tx, const struct report_counts *counts, size_t n, uint8_t *message) {
    tx->frames += n;
    if (tx->frames < FRAMES_A_SECOND)
        return false;
    tx->frames -= FRAMES_A_SECOND;
    memmove(tx->seconds + 1, tx->seconds, sizeof tx->seconds - sizeof tx->seconds[0]);
    tx->seconds[0] = second(tx, counts);
    tx->before = *counts;
    tx->number++;
    tx->faulty = tx->looped = false;
    *message++ = SAPI_FROM_USER;
    *message++ = TEI;
    *message++ = UNACKNOWLEDGED;
    for (size_t i = 0; i < REPORT_SECONDS; i++) {
        *message++ = (uint8_t)(tx->seconds[i] >> 8);
        *message++ = (uint8_t)tx->seconds[i];
    }
    return true;
}

/* How many of a message's seconds were not told before: so many as its number says as long as that cannot have gone
 * round, and no more than have passed. Of the time before the first message nothing is known. */
static unsigned unknown(struct report_rx *rx, uint16_t newest) {
    unsigned numbered = ((newest - rx->newest[0] - 1u) & REPORT_NUMBER) + 1;
    int64_t passed = (rx->frames + FRAMES_A_SECOND / 2) / FRAMES_A_SECOND;
    unsigned count = numbered;
    if (rx->total == 0)
        count = 1;
    else if (passed >= REPORT_SECONDS)
        count = REPORT_SECONDS;
    else if (passed < numbered)
        count = passed > 0 ? (unsigned)passed : 0;
    bool in_time = rx->total == 0 || passed >= numbered;
    rx->frames = in_time ? 0 : rx->frames - (int64_t)count * FRAMES_A_SECOND;
    return count;
}

/* Two good lines say the same as a loop, and mean it. */
static bool is_own(const struct report_rx *rx, const uint8_t *message, const uint16_t *told) {
    unsigned events = 0;
    for (size_t i = 0; i < REPORT_SECONDS; i++)
        events |= told[i] & ~(unsigned)REPORT_NUMBER;
    return events && memcmp(message, rx->own, REPORT_OCTETS) == 0;
}

bool report_take(struct report_rx *rx, const uint8_t *message, size_t length) {
    if (length != REPORT_OCTETS || (message[0] & ~FROM_CARRIER) != SAPI_FROM_USER || message[1] != TEI ||
        message[2] != UNACKNOWLEDGED)
        return false;
    uint16_t told[REPORT_SECONDS];
    for (size_t i = 0; i < REPORT_SECONDS; i++)
        told[i] = (uint16_t)(message[HEADER + 2 * i] << 8 | message[HEADER + 2 * i + 1]);
    if (is_own(rx, message, told))
        return true;
    unsigned count = unknown(rx, told[0]);
    memmove(rx->newest + count, rx->newest, (REPORTS_KEPT - count) * sizeof rx->newest[0]);
    memcpy(rx->newest, told, count * sizeof told[0]);
    rx->total += count;
    return true;
}
