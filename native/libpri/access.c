// SPDX-License-Identifier: GPL-2.0-or-later
// What the pump's user sets and reads between turns.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pump.h"

int pump_attach(struct pump *pump, unsigned number, int fd) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    if (!dchannel)
        return -EINVAL;
    if (fd >= 0)
        return dchannel_attach(dchannel, fd);
    dchannel_detach(dchannel);
    return 0;
}

int pump_kick(struct pump *pump, unsigned number) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    if (!dchannel)
        return -EINVAL;
    dchannel_kick(dchannel);
    return 0;
}

int pump_join(struct pump *pump, unsigned one, unsigned other) {
    struct dchannel *first = pump_dchannel(pump, one), *second = pump_dchannel(pump, other);
    if (!first || !second || first == second)
        return -EINVAL;
    dchannel_join(first, second);
    return 0;
}

int pump_part(struct pump *pump, unsigned number) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    if (!dchannel || !dchannel->peer)
        return -EINVAL;
    dchannel->peer->peer = NULL;
    dchannel->peer = NULL;
    return 0;
}

int pump_tap(struct pump *pump, unsigned number, int on) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    if (!dchannel)
        return -EINVAL;
    dchannel->tapped = on != 0;
    return 0;
}

int pump_inject(struct pump *pump, unsigned number, const uint8_t *octets, size_t length) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    uint8_t frame[FRAME_OCTETS] = {0};
    if (!dchannel || length + FCS_OCTETS > FRAME_OCTETS - FCS_OCTETS || queue_full(&dchannel->memory))
        return -EINVAL;
    memcpy(frame, octets, length);
    queue_push(&dchannel->memory, frame, (int)length + FCS_OCTETS);
    return 0;
}

int pump_take_sent(struct pump *pump, unsigned number, uint8_t *octets) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    if (!dchannel)
        return -EINVAL;
    struct frame_slot *slot = queue_first(&dchannel->sent);
    if (!slot)
        return 0;
    int length = slot->length - FCS_OCTETS;
    memcpy(octets, slot->octets, (size_t)length);
    queue_pop(&dchannel->sent);
    return length;
}

int pump_set_timer(struct pump *pump, unsigned number, const char *name, int value) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    int index = pri_timer2idx(name);
    if (!dchannel || index < 0)
        return -EINVAL;
    return pri_set_timer(dchannel->pri, index, value);
}

int pump_link_up(struct pump *pump, unsigned number) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    return dchannel && dchannel->link.established;
}

char *pump_info(struct pump *pump, unsigned number) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    return dchannel ? pri_dump_info_str(dchannel->pri) : NULL;
}

void pump_info_free(char *text) {
    free(text);
}

const uint64_t *pump_counters(struct pump *pump, unsigned number) {
    struct dchannel *dchannel = pump_dchannel(pump, number);
    return dchannel ? dchannel->counters : NULL;
}

const char *pump_counter_name(unsigned index) {
#define COUNTER_NAME(name) #name,
    static const char *const names[] = {COUNTERS(COUNTER_NAME)};
#undef COUNTER_NAME
    return index < COUNTER_TOTAL ? names[index] : NULL;
}

uint64_t pump_errors_suppressed(const struct pump *pump) {
    return pump->errors_suppressed;
}

uint64_t pump_now(const struct pump *pump) {
    return clock_now(&pump->clock);
}

void pump_set_now(struct pump *pump, uint64_t ns) {
    pump->clock.virtual_ns = ns;
}

int pump_timeline(struct pump *pump, uint64_t handle, struct moment *moments) {
    struct call *call = call_by_handle(&pump->calls, handle);
    if (!call)
        return -1;
    memcpy(moments, call->timeline, call->moments * sizeof call->timeline[0]);
    return (int)call->moments;
}
