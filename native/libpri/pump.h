// SPDX-License-Identifier: GPL-2.0-or-later
// All D-channels of a host behind one epoll descriptor, turned by one call from one thread (libpri has no locks).
#ifndef PUMP_H
#define PUMP_H

#include <libpri.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calls.h"
#include "clock.h"
#include "dchannel.h"
#include "events.h"

enum { DCHANNELS_MAX = 256 };

struct pump {
    int epoll_fd;
    struct pump_clock clock;
    struct event_buffer events;
    struct call_table calls;
    struct dchannel *dchannels[DCHANNELS_MAX];
    unsigned dchannel_count;
    uint64_t error_window_ns;
    unsigned error_count;
    uint64_t errors_suppressed;
};

struct pump *pump_new(int virtual_time);
void pump_free(struct pump *pump);
int pump_fd(const struct pump *pump);

// The new D-channel's number, or -1. `fd` -1: none yet.
int pump_add(struct pump *pump, int fd, int node, int switch_type, int service_messages);
struct dchannel *pump_dchannel(struct pump *pump, unsigned number); // NULL: no such D-channel

// 0, or -errno, or -1 for an unknown D-channel.
int pump_attach(struct pump *pump, unsigned number, int fd);
int pump_kick(struct pump *pump, unsigned number);
int pump_join(struct pump *pump, unsigned one, unsigned other);
int pump_part(struct pump *pump, unsigned number); // cuts the cable in memory
int pump_tap(struct pump *pump, unsigned number, int on);
int pump_inject(struct pump *pump, unsigned number, const uint8_t *octets, size_t length);
int pump_take_sent(struct pump *pump, unsigned number, uint8_t *octets); // length without FCS; 0: none
int pump_set_timer(struct pump *pump, unsigned number, const char *name, int value);
int pump_link_up(struct pump *pump, unsigned number);
char *pump_info(struct pump *pump, unsigned number); // to be freed with pump_info_free
void pump_info_free(char *text);
const uint64_t *pump_counters(struct pump *pump, unsigned number);
const char *pump_counter_name(unsigned index); // NULL behind the last
uint64_t pump_errors_suppressed(const struct pump *pump);

// Executes packed commands, then reads, runs libpri and its timers until nothing is left to do.
// Returns the octets of packed events, valid until the next call.
size_t pump_turn(struct pump *pump, const uint8_t *commands, size_t length);
const uint8_t *pump_events(const struct pump *pump);
uint64_t pump_deadline(struct pump *pump); // ns on the pump's clock; 0: no timer runs
uint64_t pump_now(const struct pump *pump);
void pump_set_now(struct pump *pump, uint64_t ns);
int pump_timeline(struct pump *pump, uint64_t handle, struct moment *moments); // number of moments; -1: no such call

// For the parts of the pump.
struct event_header pump_header(struct dchannel *dchannel, enum event_kind kind);
void pump_event(struct dchannel *dchannel, enum event_kind kind);
void pump_take(struct dchannel *dchannel, pri_event *event, struct call *call);
void pump_settle(struct dchannel *dchannel, struct call *call);

#endif
