// SPDX-License-Identifier: GPL-2.0-or-later
/* What a line without frames says: no signal, or all ones. */
#ifndef DAHDI_PY_DEFECTS_H
#define DAHDI_PY_DEFECTS_H

#include "framing.h"

/* Loss of signal: pulse positions in a row without a pulse. */
struct los {
    unsigned zeros;
    bool on;
};

/* n rows with pulses, or without any. */
void los_look(struct los *los, const struct framing_config *config, const uint8_t (*rows)[FRAME_SPAN], bool signal,
              size_t n);

/* All ones, looked for while there is no frame or its loss has begun. */
struct ais {
    bool looking;
    unsigned looked;        /* frames since it may have begun, as far as it matters */
    unsigned frames, zeros; /* of the period so far */
    unsigned within;        /* periods in a row that were nothing but ones */
    unsigned outside;       /* and that were not */
    bool on;
};

/* No look so far. */
void ais_begin(struct ais *ais);
void ais_look(struct ais *ais, enum line_type type, const uint8_t (*rows)[FRAME_SPAN], size_t n);
/* Whether it may be beginning, so that a loss of frame is not to be told of yet: ones so far, and for 6 ms at most. */
bool ais_possible(const struct ais *ais, enum line_type type);

#endif
