/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An HDLC engine as the bench drives it; one program an engine, for their names clash. */
#ifndef BENCH_HDLC_ENGINE_H
#define BENCH_HDLC_ENGINE_H

#include <stddef.h>
#include <stdint.h>

void engine_begin(void);
/* The frame with its FCS and so many idle octets of flags behind it; returns the line octets. */
size_t engine_send(const uint8_t *frame, size_t length, size_t idle, uint8_t *line);
/* Line octets come in; returns the good frames that ended in them. */
unsigned engine_receive(const uint8_t *line, size_t n);

#endif
