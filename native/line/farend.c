// SPDX-License-Identifier: GPL-2.0-or-later
#include "farend.h"

#include <string.h>

/* What an order does to whom. Source: T1.403 table of ESF data link messages (codewords as in fdl.h); T1.403 9.3.1 */
static const struct {
    uint16_t codeword;
    enum far_end_kind kind;
    enum loop loop;
} fdl_orders[] = {
    {0x0EFF, FAR_END_CSU, LOOP_LINE}, {0x38FF, FAR_END_CSU, LOOP_NONE}, {0x14FF, FAR_END_CSU, LOOP_PAYLOAD},
    {0x32FF, FAR_END_CSU, LOOP_NONE}, {0x12FF, FAR_END_NIU, LOOP_LINE}, {0x24FF, FAR_END_NIU, LOOP_NONE},
};
static const struct {
    enum far_end_kind kind;
    enum loop loop;
} inband_orders[INBAND_CODES] = {
    [INBAND_CSU_UP] = {FAR_END_CSU, LOOP_LINE},
    [INBAND_CSU_DOWN] = {FAR_END_CSU, LOOP_NONE},
    [INBAND_NIU_UP] = {FAR_END_NIU, LOOP_LINE},
    [INBAND_NIU_DOWN] = {FAR_END_NIU, LOOP_NONE},
};

void far_end_init(struct far_end *far, enum far_end_kind kind, const struct framing_config *config, uint64_t seed) {
    memset(far, 0, sizeof *far);
    far->kind = kind;
    inband_rx_init(&far->inband);
    port_init(&far->port, config->type, seed);
    framer_configure(&far->port.framer, config);
    framer_number_reports(&far->port.framer, (unsigned)seed + 1);
    far->port.end.follows = true;
    far->port.listens = true;
    far->port.running = true;
}

static void obey(struct far_end *far, enum loop loop, enum loop_order how) {
    if (far->port.loop == loop)
        return;
    port_set_loop(&far->port, loop, LOOP_STAYS);
    far->ordered = how;
    far->obeyed++;
}

static void obey_inband(struct far_end *far, int code) {
    if (code >= 0 && inband_orders[code].kind == far->kind)
        obey(far, inband_orders[code].loop, ORDER_INBAND);
}

static void listen_inband(struct far_end *far) {
    const struct arrival *arrives = &far->port.end.arrives;
    for (size_t frame = 0; arrives->signal && frame < arrives->frames; frame++)
        obey_inband(far, inband_read_line(&far->inband, arrives->line[frame] + 1));
    for (size_t frame = 0; frame < far->port.payload_frames; frame++)
        obey_inband(far, inband_read_slots(&far->inband, far->port.payload[frame]));
}

static void listen_fdl(struct far_end *far) {
    uint16_t codeword = framer_bom(&far->port.framer);
    bool known = codeword == far->heard;
    far->heard = codeword;
    for (size_t i = 0; !known && i < sizeof fdl_orders / sizeof fdl_orders[0]; i++)
        if (fdl_orders[i].codeword == codeword && fdl_orders[i].kind == far->kind)
            obey(far, fdl_orders[i].loop, ORDER_FDL);
}

void far_end_receive(struct far_end *far, size_t nominal) {
    port_receive(&far->port, nominal);
    listen_inband(far);
    listen_fdl(far);
}

void far_end_read_status(const struct far_end *far, struct far_end_status *status) {
    *status = (struct far_end_status){far->kind, far->port.loop, far->ordered, far->obeyed, far->port.alarms};
}
