// SPDX-License-Identifier: GPL-2.0-or-later
/* What a framer is told and what it counts. */
#ifndef DAHDI_PY_FRAMING_H
#define DAHDI_PY_FRAMING_H

#include "bits.h"

enum framing { FRAMING_E1, FRAMING_D4, FRAMING_ESF };
enum line_coding { CODING_AMI, CODING_HDB3, CODING_B8ZS };

struct framing_config {
    enum line_type type;
    enum framing framing;
    enum line_coding coding;
    bool crc4; /* E1 */
    bool cas;  /* E1: timeslot 16 is for signalling bits */
};

/* Events since the framer began; none of them is a second. */
struct framer_counts {
    uint64_t violations; /* of the line code */
    uint64_t crc;        /* blocks with a wrong CRC: CRC-4 submultiframes, CRC-6 extended superframes */
    uint64_t ebit;       /* E1: blocks that the far end says were wrong */
    uint64_t fas;        /* E1: frame alignment words in error; T1: framing bits in error */
    uint64_t severe;     /* E1: losses of frame alignment; T1: framing periods (ESF 3 ms, D4 0.75 ms) with two errors */
    uint64_t reframes;   /* frame alignment found */
    uint64_t cofa;       /* and found at another place than before */
};

#endif
