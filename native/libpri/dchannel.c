// SPDX-License-Identifier: GPL-2.0-or-later
#include "dchannel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hooks.h"
#include "pump.h"

// DAHDI's ELAST: an event must be read before the device gives or takes data (peers of errno.h have no such number).
enum { DAHDI_EVENT_PENDING = 500 };

bool queue_full(const struct frame_queue *queue) {
    return queue->count == queue->capacity;
}

void queue_push(struct frame_queue *queue, const void *octets, int length) {
    struct frame_slot *slot = &queue->slots[(queue->first + queue->count++) % queue->capacity];
    slot->length = (uint16_t)length;
    memcpy(slot->octets, octets, (size_t)length);
}

struct frame_slot *queue_first(struct frame_queue *queue) {
    return queue->count ? &queue->slots[queue->first] : NULL;
}

void queue_pop(struct frame_queue *queue) {
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
}

static bool queue_make(struct frame_queue *queue, unsigned capacity) {
    queue->slots = calloc(capacity, sizeof *queue->slots);
    queue->capacity = capacity;
    return queue->slots != NULL;
}

static void set_interest(struct dchannel *dchannel) {
    uint32_t wanted = dchannel->event_pending ? 0 : EPOLLIN | EPOLLPRI;
    if (!dchannel->event_pending && dchannel->transmit.count)
        wanted |= EPOLLOUT;
    if (dchannel->fd < 0 || wanted == dchannel->interest)
        return;
    struct epoll_event event = {.events = wanted, .data.ptr = dchannel};
    epoll_ctl(dchannel->pump->epoll_fd, EPOLL_CTL_MOD, dchannel->fd, &event);
    dchannel->interest = wanted;
}

static void report_pending(struct dchannel *dchannel) {
    if (dchannel->event_pending)
        return;
    dchannel->event_pending = true;
    set_interest(dchannel);
    pump_event(dchannel, EVENT_DEVICE_EVENT_PENDING);
}

static void report_gone(struct dchannel *dchannel, int error) {
    if (dchannel->fd < 0)
        return;
    dchannel_detach(dchannel);
    struct event_header header = pump_header(dchannel, EVENT_GONE);
    header.a = error;
    event_put(&dchannel->pump->events, &header);
}

// Writes one frame; false if the device takes none now.
static bool write_frame(struct dchannel *dchannel, const void *octets, int length) {
    ssize_t written = write(dchannel->fd, octets, (size_t)length);
    if (written == length)
        return true;
    if (written >= 0) {
        dchannel->counters[COUNT_short_writes]++; // half a frame is lost; the peer's T200 or ours brings it again
        return true;
    }
    if (errno == DAHDI_EVENT_PENDING)
        report_pending(dchannel);
    else if (errno != EAGAIN && errno != EINTR)
        report_gone(dchannel, errno);
    return false;
}

static void flush_transmit(struct dchannel *dchannel) {
    struct frame_slot *slot;
    while (dchannel->fd >= 0 && !dchannel->event_pending && (slot = queue_first(&dchannel->transmit))) {
        if (!write_frame(dchannel, slot->octets, slot->length))
            break;
        queue_pop(&dchannel->transmit);
    }
    set_interest(dchannel);
}

static void transmit(struct dchannel *dchannel, const void *octets, int length) {
    if (!dchannel->transmit.count && !dchannel->event_pending && write_frame(dchannel, octets, length))
        return;
    if (dchannel->fd < 0)
        return;
    if (queue_full(&dchannel->transmit)) {
        dchannel->counters[COUNT_transmit_dropped]++;
        return;
    }
    queue_push(&dchannel->transmit, octets, length);
    dchannel->counters[COUNT_transmit_queued]++;
    set_interest(dchannel);
}

static void keep_in_memory(struct dchannel *dchannel, struct frame_queue *queue, const void *octets, int length) {
    if (queue_full(queue)) {
        dchannel->counters[COUNT_receive_dropped]++;
        queue_pop(queue);
    }
    queue_push(queue, octets, length);
}

// libpri wants the full length back whatever became of the frame: it has no other way to go on (reliability is LAPD's).
static int on_write(struct pri *pri, void *octets, int length) {
    struct dchannel *dchannel = pri_get_userdata(pri);
    if (length < FCS_OCTETS + 3 || length > FRAME_OCTETS)
        return length;
    dchannel->counters[COUNT_frames_out]++;
    dchannel->counters[COUNT_octets_out] += (uint64_t)(length - FCS_OCTETS);
    hook_frame_out(dchannel, octets, length - FCS_OCTETS);
    if (dchannel->peer)
        keep_in_memory(dchannel->peer, &dchannel->peer->memory, octets, length);
    else if (dchannel->fd >= 0)
        transmit(dchannel, octets, length);
    else {
        dchannel->counters[COUNT_transmit_unattached]++;
        keep_in_memory(dchannel, &dchannel->sent, octets, length);
    }
    return length;
}

// libpri takes every other result than 0 for a frame's length, errors too.
static int on_read(struct pri *pri, void *buffer, int size) {
    struct dchannel *dchannel = pri_get_userdata(pri);
    const struct frame_slot *slot = dchannel->receiving;
    if (!slot || slot->length > size - FCS_OCTETS)
        return 0;
    dchannel->receiving = NULL;
    memcpy(buffer, slot->octets, slot->length);
    return slot->length;
}

static void receive(struct dchannel *dchannel, struct frame_slot *slot) {
    struct call *call = NULL;
    dchannel->counters[COUNT_frames_in]++;
    dchannel->counters[COUNT_octets_in] += slot->length > FCS_OCTETS ? slot->length - FCS_OCTETS : 0;
    if (!hook_frame_in(dchannel, slot, &call))
        return;
    dchannel->receiving = slot;
    pri_event *event = pri_check_event(dchannel->pri);
    dchannel->receiving = NULL;
    pump_take(dchannel, event, call);
}

struct dchannel *dchannel_new(struct pump *pump, uint32_t number, int fd, int node, int switch_type,
                              bool service_messages) {
    struct dchannel *dchannel = calloc(1, sizeof *dchannel);
    if (!dchannel)
        return NULL;
    *dchannel = (struct dchannel){.pump = pump, .number = number, .fd = -1};
    dchannel->network = node == PRI_NETWORK;
    dchannel->service_messages = service_messages;
    bool made = queue_make(&dchannel->transmit, TRANSMIT_QUEUE) && queue_make(&dchannel->memory, MEMORY_QUEUE) &&
                queue_make(&dchannel->sent, MEMORY_QUEUE);
    if (made && (fd < 0 || dchannel_attach(dchannel, fd) == 0))
        dchannel->pri = pri_new_cb(-1, node, switch_type, on_read, on_write, dchannel); // writes its SABME at once
    if (!dchannel->pri) {
        dchannel_free(dchannel);
        return NULL;
    }
    pri_set_service_message_support(dchannel->pri, service_messages);
    pri_hangup_fix_enable(dchannel->pri, 1);
    dchannel->dirty = true;
    return dchannel;
}

void dchannel_free(struct dchannel *dchannel) {
    dchannel_detach(dchannel);
    while (dchannel->calls)
        call_retire(&dchannel->pump->calls, dchannel->calls);
    free(dchannel->transmit.slots);
    free(dchannel->memory.slots);
    free(dchannel->sent.slots);
    free(dchannel);
}

void dchannel_join(struct dchannel *one, struct dchannel *other) {
    struct frame_slot *slot;
    one->peer = other;
    other->peer = one;
    for (; (slot = queue_first(&one->sent)); queue_pop(&one->sent))
        keep_in_memory(other, &other->memory, slot->octets, slot->length);
    for (; (slot = queue_first(&other->sent)); queue_pop(&other->sent))
        keep_in_memory(one, &one->memory, slot->octets, slot->length);
}

int dchannel_attach(struct dchannel *dchannel, int fd) {
    dchannel_detach(dchannel);
    struct epoll_event event = {.events = EPOLLIN | EPOLLPRI, .data.ptr = dchannel};
    if (epoll_ctl(dchannel->pump->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    dchannel->fd = fd;
    dchannel->interest = event.events;
    return 0;
}

void dchannel_detach(struct dchannel *dchannel) {
    if (dchannel->fd >= 0)
        epoll_ctl(dchannel->pump->epoll_fd, EPOLL_CTL_DEL, dchannel->fd, NULL);
    dchannel->fd = -1;
    dchannel->event_pending = false;
    dchannel->transmit.count = 0;
}

void dchannel_kick(struct dchannel *dchannel) {
    dchannel->event_pending = false;
    set_interest(dchannel);
}

void dchannel_ready(struct dchannel *dchannel, uint32_t ready) {
    if (ready & EPOLLERR) {
        report_gone(dchannel, ENODEV);
        return;
    }
    if (ready & EPOLLPRI)
        report_pending(dchannel);
    if (ready & EPOLLOUT)
        flush_transmit(dchannel);
    for (int frames = 0; dchannel->fd >= 0 && !dchannel->event_pending && frames < FRAMES_A_TURN; frames++) {
        struct frame_slot slot;
        ssize_t length = read(dchannel->fd, slot.octets, sizeof slot.octets - FCS_OCTETS);
        if (length > 0) {
            slot.length = (uint16_t)length;
            receive(dchannel, &slot);
        } else if (length == 0 || (errno == EAGAIN && ready & EPOLLHUP))
            report_gone(dchannel, 0);
        else if (errno == EAGAIN || errno == EINTR)
            break;
        else if (errno == DAHDI_EVENT_PENDING)
            report_pending(dchannel);
        else
            report_gone(dchannel, errno);
    }
}

bool dchannel_run_memory(struct dchannel *dchannel) {
    struct frame_slot *first = queue_first(&dchannel->memory);
    if (!first)
        return false;
    struct frame_slot slot;
    slot.length = first->length;
    memcpy(slot.octets, first->octets, first->length);
    queue_pop(&dchannel->memory);
    receive(dchannel, &slot);
    return true;
}
