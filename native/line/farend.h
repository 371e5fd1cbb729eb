// SPDX-License-Identifier: GPL-2.0-or-later
/* A far end in place of a port: a CSU or an NIU (smart jack) that obeys loop codes and says in which loop it is.
 *
 * It sends idle timeslots in frames of its own on the line's clock. Source: T1.403 9.3 (in-band and FDL loop codes),
 * Westell and ADC manuals (the NIU's).
 */
#ifndef DAHDI_PY_FAREND_H
#define DAHDI_PY_FAREND_H

#include "inband.h"
#include "port.h"

enum far_end_kind { FAR_END_NONE, FAR_END_CSU, FAR_END_NIU };
enum loop_order { ORDER_NONE, ORDER_INBAND, ORDER_FDL };

struct far_end {
    enum far_end_kind kind;
    struct port port;
    struct inband_rx inband;
    uint16_t heard;          /* the codeword on the data link last tick */
    enum loop_order ordered; /* how it was told what it does now */
    uint64_t obeyed;         /* orders, since it was plugged in */
};

struct far_end_status {
    enum far_end_kind kind;
    enum loop loop;
    enum loop_order ordered;
    uint64_t obeyed;
    uint32_t alarms;
};

void far_end_init(struct far_end *far, enum far_end_kind kind, const struct framing_config *config, uint64_t seed);
/* A tick has arrived: it is received, and orders in it are obeyed. */
void far_end_receive(struct far_end *far, size_t nominal);
void far_end_read_status(const struct far_end *far, struct far_end_status *status);

#endif
