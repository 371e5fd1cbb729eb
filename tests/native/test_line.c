// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated line fed with rubbish, for the sanitizers: `test_line engines|framers|card|clock`. Exits 0 when nothing
 * broke.
 */
#include "test_line.h"

#include <string.h>

static unsigned seed = 1;

unsigned below(unsigned limit) {
    return (unsigned)rand_r(&seed) % limit;
}

void rubbish(uint8_t *octets, size_t n) {
    static const uint8_t telling[] = {0x7E, 0xFF, 0x3F, 0xFC, 0x1F, 0x00};
    for (size_t i = 0; i < n; i++)
        octets[i] = below(3) ? (uint8_t)below(256) : telling[below(sizeof telling)];
}

/* Buffers of the very size, so that one octet too far is seen. */
uint8_t *exact(size_t n) {
    uint8_t *octets = malloc(n ? n : 1);
    CHECK(octets);
    return octets;
}

int main(int argc, char **argv) {
    const char *part = argc > 1 ? argv[1] : "";
    if (!strcmp(part, "engines"))
        test_engines();
    else if (!strcmp(part, "framers"))
        test_framers();
    else if (!strcmp(part, "card"))
        test_card();
    else if (!strcmp(part, "clock"))
        test_clock();
    else
        return 2;
    printf("%s done\n", part);
    return 0;
}
