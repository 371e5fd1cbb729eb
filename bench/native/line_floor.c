/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line_floor SPANS TICK_MS SECONDS: CPU us a span and simulated second of what a line cannot do without.
 *
 * 32 timeslots octet by octet into frames, the frames copied, and out again into timeslots; nothing is framed, checked
 * or delivered. Eight by eight octets at a time.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS      32
#define FRAMES_MAX 64

struct span {
    uint8_t slots[SLOTS][FRAMES_MAX], out[SLOTS][FRAMES_MAX];
    uint8_t line[FRAMES_MAX][SLOTS], far[FRAMES_MAX][SLOTS];
};

static void transpose(const uint8_t *from, size_t from_stride, uint8_t *to, size_t to_stride) {
    uint64_t row[8];
    for (size_t i = 0; i < 8; i++)
        memcpy(&row[i], from + i * from_stride, 8);
    static const uint64_t masks[3] = {0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF, 0x00000000FFFFFFFF};
    for (size_t step = 1, level = 0; step < 8; step *= 2, level++)
        for (size_t i = 0; i < 8; i++)
            if (!(i & step)) {
                uint64_t a = row[i], b = row[i + step], mask = masks[level];
                row[i] = (a & mask) | (b & mask) << 8 * step;
                row[i + step] = (a >> 8 * step & mask) | (b & ~mask);
            }
    for (size_t i = 0; i < 8; i++)
        memcpy(to + i * to_stride, &row[i], 8);
}

static void tick(struct span *span, size_t frames) {
    for (size_t slot = 0; slot < SLOTS; slot += 8)
        for (size_t frame = 0; frame < frames; frame += 8)
            transpose(&span->slots[slot][frame], FRAMES_MAX, &span->line[frame][slot], SLOTS);
    memcpy(span->far, span->line, frames * SLOTS);
    for (size_t slot = 0; slot < SLOTS; slot += 8)
        for (size_t frame = 0; frame < frames; frame += 8)
            transpose(&span->far[frame][slot], SLOTS, &span->out[slot][frame], FRAMES_MAX);
}

static double cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: line_floor SPANS TICK_MS SECONDS\n");
        return 2;
    }
    size_t spans = (size_t)atol(argv[1]), frames = (size_t)atol(argv[2]) * 8,
           ticks = (size_t)atol(argv[3]) * 8000 / frames;
    struct span *all = calloc(spans, sizeof *all);
    if (!all || frames == 0 || frames > FRAMES_MAX)
        return 1;
    double start = cpu_us();
    for (size_t i = 0; i < ticks; i++)
        for (size_t span = 0; span < spans; span++)
            tick(&all[span], frames);
    double spent = cpu_us() - start;
    uint8_t sum = 0;
    for (size_t span = 0; span < spans; span++)
        sum ^= all[span].out[1][0];
    printf("%.2f %u\n", spent / (double)spans / (double)atol(argv[3]), sum);
    return 0;
}
