// SPDX-License-Identifier: GPL-2.0-or-later
/* A line whose ends are set to different line codes: the pulses of one code, read by the rules of another.
 *
 * Between ends of one code bits are bits and there is nothing to do. Source: G.703 annex A (AMI, B8ZS, HDB3), T1.403.
 */
#ifndef DAHDI_PY_LINE_CODE_H
#define DAHDI_PY_LINE_CODE_H

#include "framing.h"

#define LINE_CODE_WINDOW 8

struct line_code {
    int8_t sent[LINE_CODE_WINDOW];   /* pulses that a substitution may still change, a ring, +1, 0 or -1 */
    uint8_t read[LINE_CODE_WINDOW];  /* bits read, likewise */
    uint8_t wrong[LINE_CODE_WINDOW]; /* whether they were violations */
    int8_t pulses[LINE_CODE_WINDOW]; /* and their pulses */
    unsigned at;                     /* in all of them */
    unsigned zeros;                  /* sent in a row */
    unsigned silence;                /* read in a row */
    int8_t sent_last, read_last;     /* pulses */
    int8_t violation_last;           /* HDB3: of the last substitution read */
    bool odd;                        /* HDB3: pulses sent since the last substitution */
};

/* n rows become what the far end reads, sixteen bits later; returns the violations that it counts. All zeros is a line
 * on which nothing has been sent. */
uint64_t line_code_pass(struct line_code *code, enum line_coding sent, enum line_coding read, enum line_type type,
                        uint8_t (*rows)[FRAME_SPAN], size_t n);

#endif
