// SPDX-License-Identifier: GPL-2.0-or-later
/* What the program `test_line` consists of: rubbish, and the parts of the simulated line that are fed with it. */
#ifndef DAHDI_PY_TEST_LINE_H
#define DAHDI_PY_TEST_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                                                 \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

unsigned below(unsigned limit);
void rubbish(uint8_t *octets, size_t n);
uint8_t *exact(size_t n);

void test_engines(void);
void test_framers(void);
void test_card(void);
void test_clock(void);

#endif
