/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hdlc_ENGINE LENGTH IDLE FRAMES: Mbit/s of line that the engine makes and reads, by CPU time.
 *
 * Frames of LENGTH octets (with FCS), IDLE octets of flags behind each. Every frame must come back but the last, which
 * may still be in the line.
 */
#include "hdlc_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PASSES 5
#define BLOCK  160 /* octets that a receiver gets at once */

static double cpu_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: hdlc_ENGINE LENGTH IDLE FRAMES\n");
        return 2;
    }
    size_t length = (size_t)atol(argv[1]) - 2, idle = (size_t)atol(argv[2]), frames = (size_t)atol(argv[3]);
    uint8_t *data = malloc(length * frames), *line = malloc((length * 5 / 4 + idle + 32) * frames + 1024);
    if (!data || !line)
        return 1;
    srand(1);
    for (size_t i = 0; i < length * frames; i++)
        data[i] = (uint8_t)rand();
    double sent_s = 1e9, read_s = 1e9;
    size_t octets = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        engine_begin();
        octets = 0;
        double start = cpu_s();
        for (size_t i = 0; i < frames; i++)
            octets += engine_send(data + i * length, length, idle, line + octets);
        double sent = cpu_s();
        unsigned good = 0;
        for (size_t at = 0; at < octets; at += BLOCK)
            good += engine_receive(line + at, octets - at < BLOCK ? octets - at : BLOCK);
        double read = cpu_s();
        if (good + 1 < frames || good > frames) {
            fprintf(stderr, "%u of %zu frames came back\n", good, frames);
            return 1;
        }
        sent_s = sent - start < sent_s ? sent - start : sent_s;
        read_s = read - sent < read_s ? read - sent : read_s;
    }
    printf("%.1f %.1f\n", (double)octets * 8 / sent_s / 1e6, (double)octets * 8 / read_s / 1e6);
    return 0;
}
