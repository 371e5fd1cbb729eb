// SPDX-License-Identifier: GPL-2.0-or-later
#include "pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "commands.h"
#include "translate.h"

enum { ERRORS_A_SECOND = 20, READY_AT_ONCE = 64, EVENT_OCTETS_A_TURN = 1 << 20, MEMORY_FRAMES_A_TURN = 100000 };

static struct pump *active_pump; // libpri's message hooks are global and may come without a controller

static void enter(struct pump *pump) {
    active_pump = pump;
    clock_enter(&pump->clock);
}

struct event_header pump_header(struct dchannel *dchannel, enum event_kind kind) {
    return (struct event_header){
        .kind = (uint16_t)kind,
        .dchannel = dchannel->number,
        .ns = clock_now(&dchannel->pump->clock),
        .channel = -1,
    };
}

void pump_event(struct dchannel *dchannel, enum event_kind kind) {
    struct event_header header = pump_header(dchannel, kind);
    event_put(&dchannel->pump->events, &header);
}

static void on_error(struct pri *pri, char *text) {
    struct pump *pump = active_pump;
    struct dchannel *dchannel = pri ? pri_get_userdata(pri) : NULL;
    if (!pump)
        return;
    uint64_t now = clock_now(&pump->clock);
    if (now - pump->error_window_ns >= NS_PER_SECOND) {
        pump->error_window_ns = now;
        pump->error_count = 0;
    }
    if (++pump->error_count > ERRORS_A_SECOND) {
        pump->errors_suppressed++;
        return;
    }
    struct event_header header = {.kind = EVENT_ERROR, .ns = now, .channel = -1};
    header.dchannel = dchannel ? dchannel->number : UINT32_MAX;
    event_open(&pump->events, &header);
    event_field(&pump->events, FIELD_TEXT, 0, 0, text, strlen(text));
    event_close(&pump->events);
}

static void on_message(struct pri *pri, char *text) {
    (void)pri;
    (void)text;
}

struct pump *pump_new(int virtual_time) {
    struct pump *pump = calloc(1, sizeof *pump);
    if (!pump)
        return NULL;
    pump->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (pump->epoll_fd < 0 || (virtual_time && !clock_is_wrapped())) {
        pump_free(pump);
        return NULL;
    }
    pump->clock.virtual_time = virtual_time;
    clock_wall_step(&pump->clock);
    pri_set_error(on_error);
    pri_set_message(on_message);
    return pump;
}

void pump_free(struct pump *pump) {
    for (unsigned i = 0; i < pump->dchannel_count; i++)
        dchannel_free(pump->dchannels[i]);
    call_table_clear(&pump->calls);
    if (active_pump == pump) {
        active_pump = NULL;
        clock_enter(NULL);
    }
    if (pump->epoll_fd >= 0)
        close(pump->epoll_fd);
    free(pump->events.octets);
    free(pump);
}

int pump_fd(const struct pump *pump) {
    return pump->epoll_fd;
}

int pump_add(struct pump *pump, int fd, int node, int switch_type, int service_messages) {
    enter(pump);
    if (pump->dchannel_count == DCHANNELS_MAX)
        return -1;
    struct dchannel *dchannel = dchannel_new(pump, pump->dchannel_count, fd, node, switch_type, service_messages != 0);
    if (!dchannel)
        return -1;
    pump->dchannels[pump->dchannel_count] = dchannel;
    return (int)pump->dchannel_count++;
}

struct dchannel *pump_dchannel(struct pump *pump, unsigned number) {
    return number < pump->dchannel_count ? pump->dchannels[number] : NULL;
}

static void finish_if_over(struct call *call) {
    struct dchannel *dchannel = call->dchannel;
    struct call_table *calls = &dchannel->pump->calls;
    if (!call->libpri_call) { // libpri has refused the SETUP or taken no notice of it
        call_retire(calls, call);
        return;
    }
    if (call->farewell) {
        if (!call->released && dchannel->link.established && !dchannel->queue_lost)
            return;
    } else if (call_in_libpri(call)) {
        if (!call->released)
            return;
        pri_destroycall(dchannel->pri, call->libpri_call); // libpri waits for an answer that RELEASE COMPLETE never has
    } else if (call->heard_release && !call->sent_release && !call->released && dchannel->link.established) {
        call_bid_farewell(calls, call);
        return;
    }
    translate_end(call);
    call_retire(calls, call);
}

static void report_link(struct dchannel *dchannel) {
    if (dchannel->link.established == dchannel->reported_up)
        return;
    dchannel->reported_up = dchannel->link.established;
    pump_event(dchannel, dchannel->reported_up ? EVENT_DCHANNEL_UP : EVENT_DCHANNEL_DOWN);
}

static void finish_all(struct dchannel *dchannel) {
    for (struct call *call = dchannel->calls, *next; call; call = next) {
        next = call->next;
        finish_if_over(call);
    }
}

void pump_settle(struct dchannel *dchannel, struct call *call) {
    struct call_table *calls = &dchannel->pump->calls;
    dchannel->dirty = true;
    if (call)
        finish_if_over(call);
    while (calls->released)
        finish_if_over(calls->released);
    if (dchannel->farewells && (dchannel->queue_lost || !dchannel->link.established))
        finish_all(dchannel);
    dchannel->queue_lost = false;
    report_link(dchannel);
}

void pump_take(struct dchannel *dchannel, pri_event *event, struct call *call) {
    struct call *reported = event ? translate(dchannel, event, call) : NULL;
    bool clearing = event && (event->e == PRI_EVENT_HANGUP || event->e == PRI_EVENT_HANGUP_ACK);
    if (reported && call && reported != call)
        finish_if_over(call);
    // An event that does not clear its call proves that libpri still has it.
    pump_settle(dchannel, reported ? (clearing ? reported : NULL) : call);
}

static void update_deadline(struct dchannel *dchannel) {
    if (!dchannel->dirty)
        return;
    struct timeval *next = pri_schedule_next(dchannel->pri);
    dchannel->deadline_ns = next ? clock_from_timeval(&dchannel->pump->clock, next) : 0;
    dchannel->dirty = false;
}

static bool run_timers(struct dchannel *dchannel) {
    update_deadline(dchannel);
    if (!dchannel->deadline_ns || dchannel->deadline_ns > clock_now(&dchannel->pump->clock))
        return false;
    dchannel->in_maintenance = dchannel->in_band = false;
    for (pri_event *event; (event = pri_schedule_run(dchannel->pri));)
        pump_take(dchannel, event, NULL);
    finish_all(dchannel); // some timers end a call without an event
    pump_settle(dchannel, NULL);
    update_deadline(dchannel);
    return true;
}

static void run_descriptors(struct pump *pump) {
    struct epoll_event ready[READY_AT_ONCE];
    int count = epoll_wait(pump->epoll_fd, ready, READY_AT_ONCE, 0);
    for (int i = 0; i < count && pump->events.length < EVENT_OCTETS_A_TURN; i++)
        dchannel_ready(ready[i].data.ptr, ready[i].events);
}

// Joined D-channels answer each other, timers send: until all is quiet.
static void run_until_quiet(struct pump *pump) {
    int frames = 0;
    for (bool busy = true; busy && frames < MEMORY_FRAMES_A_TURN;) {
        busy = false;
        for (unsigned i = 0; i < pump->dchannel_count; i++) {
            while (frames < MEMORY_FRAMES_A_TURN && dchannel_run_memory(pump->dchannels[i])) {
                busy = true;
                frames++;
            }
            busy = run_timers(pump->dchannels[i]) || busy;
        }
    }
}

static void report_wall_step(struct pump *pump) {
    int64_t step = clock_wall_step(&pump->clock);
    if (!step)
        return;
    struct event_header header = {.kind = EVENT_CLOCK_STEP, .ns = clock_now(&pump->clock), .channel = -1};
    header.dchannel = UINT32_MAX;
    header.a = (int32_t)(step / 1000000);
    event_put(&pump->events, &header);
    for (unsigned i = 0; i < pump->dchannel_count; i++)
        pump->dchannels[i]->dirty = true;
}

size_t pump_turn(struct pump *pump, const uint8_t *commands, size_t length) {
    enter(pump);
    report_wall_step(pump);
    commands_execute(pump, commands, length);
    run_descriptors(pump);
    run_until_quiet(pump);
    size_t octets = pump->events.length;
    pump->events.length = 0;
    return octets;
}

const uint8_t *pump_events(const struct pump *pump) {
    return pump->events.octets;
}

uint64_t pump_deadline(struct pump *pump) {
    uint64_t earliest = 0;
    enter(pump);
    for (unsigned i = 0; i < pump->dchannel_count; i++) {
        update_deadline(pump->dchannels[i]);
        uint64_t deadline = pump->dchannels[i]->deadline_ns;
        if (deadline && (!earliest || deadline < earliest))
            earliest = deadline;
    }
    return earliest;
}
