// SPDX-License-Identifier: GPL-2.0-or-later
#include "calls.h"

#include <stdlib.h>
#include <string.h>

#include "dchannel.h"
#include "frame.h"

static unsigned bucket_of(uint64_t key) {
    return (unsigned)(key * 0x9e3779b97f4a7c15ULL >> 54) % CALL_BUCKETS;
}

static void index_add(struct call_table *table, struct call *call, enum call_index index, uint64_t key) {
    struct call **head = &table->buckets[index][bucket_of(key)];
    call->key[index] = key;
    call->chain[index] = *head;
    *head = call;
}

static void index_remove(struct call_table *table, struct call *call, enum call_index index) {
    struct call **at = &table->buckets[index][bucket_of(call->key[index])];
    while (*at && *at != call)
        at = &(*at)->chain[index];
    if (*at)
        *at = call->chain[index];
}

static struct call *index_find(const struct call_table *table, enum call_index index, uint64_t key) {
    struct call *call = table->buckets[index][bucket_of(key)];
    while (call && call->key[index] != key)
        call = call->chain[index];
    return call;
}

static uint64_t reference_key(const struct dchannel *dchannel, bool outgoing, uint16_t reference) {
    return (uint64_t)dchannel->number << 16 | (uint64_t)outgoing << 15 | reference;
}

struct call *call_new(struct call_table *table, struct dchannel *dchannel, bool outgoing, uint16_t reference) {
    struct call *call = table->free;
    if (call)
        table->free = call->next;
    else if (!(call = malloc(sizeof *call)))
        return NULL;
    memset(call, 0, offsetof(struct call, timeline));
    call->dchannel = dchannel;
    call->outgoing = outgoing;
    call->reference = reference;
    call->libpri_cause = call->clear_cause = call->clear_location = NOT_GIVEN;
    call->next = dchannel->calls;
    if (call->next)
        call->next->previous = call;
    dchannel->calls = call;
    dchannel->call_count++;
    dchannel->unsent_setups += outgoing;
    index_add(table, call, BY_REFERENCE, reference_key(dchannel, outgoing, reference));
    return call;
}

void call_set_handle(struct call_table *table, struct call *call, uint64_t handle) {
    call->handle = handle;
    index_add(table, call, BY_HANDLE, handle);
}

void call_set_pointer(struct call_table *table, struct call *call, q931_call *libpri_call) {
    call->libpri_call = libpri_call;
    index_add(table, call, BY_POINTER, (uintptr_t)libpri_call);
}

struct call *call_by_handle(const struct call_table *table, uint64_t handle) {
    return index_find(table, BY_HANDLE, handle);
}

struct call *call_by_pointer(const struct call_table *table, const q931_call *libpri_call) {
    return index_find(table, BY_POINTER, (uintptr_t)libpri_call);
}

struct call *call_by_reference(const struct call_table *table, const struct dchannel *dchannel, bool outgoing,
                               uint16_t reference) {
    return index_find(table, BY_REFERENCE, reference_key(dchannel, outgoing, reference));
}

static void forget(struct call_table *table, struct call *call) {
    if (call->handle)
        index_remove(table, call, BY_HANDLE);
    if (call->libpri_call)
        index_remove(table, call, BY_POINTER);
}

void call_bid_farewell(struct call_table *table, struct call *call) {
    forget(table, call);
    call->farewell = true;
    call->dchannel->farewells++;
}

void call_retire(struct call_table *table, struct call *call) {
    index_remove(table, call, BY_REFERENCE);
    if (call->farewell)
        call->dchannel->farewells--;
    else
        forget(table, call);
    for (struct call **at = &table->released; *at; at = &(*at)->next_released)
        if (*at == call) {
            *at = call->next_released;
            break;
        }
    if (call->previous)
        call->previous->next = call->next;
    else
        call->dchannel->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    call->dchannel->call_count--;
    call->dchannel->unsent_setups -= call->outgoing && !call->moments;
    call->next = table->free;
    table->free = call;
}

void call_table_clear(struct call_table *table) {
    while (table->free) {
        struct call *call = table->free;
        table->free = call->next;
        free(call);
    }
}

static bool is_clearing(uint8_t type) {
    return type == Q931_TYPE_DISCONNECT || type == Q931_TYPE_RELEASE || type == Q931_TYPE_RELEASE_COMPLETE;
}

void call_note(struct call_table *table, struct call *call, const struct q931_message *message,
               enum direction direction, uint64_t now) {
    uint8_t cause = NOT_GIVEN, location = NOT_GIVEN;
    q931_cause(message, &cause, &location);
    call->dchannel->unsent_setups -= call->outgoing && !call->moments;
    if (call->moments < MOMENTS_MAX)
        call->timeline[call->moments++] = (struct moment){now, message->type, (uint8_t)direction, cause, location, 0};
    if (direction == DIRECTION_IN)
        call->heard++;
    if (message->type == Q931_TYPE_RELEASE)
        *(direction == DIRECTION_IN ? &call->heard_release : &call->sent_release) = true;
    if (!is_clearing(message->type))
        return;
    if (!call->clearing) {
        call->clearing = true;
        call->cleared_by = direction == DIRECTION_IN ? CLEARED_BY_PEER : CLEARED_BY_US;
    }
    if (call->clear_cause == NOT_GIVEN) { // the first cause counts; later ones only answer it
        call->clear_cause = cause;
        call->clear_location = location;
    }
    if (message->type == Q931_TYPE_RELEASE_COMPLETE && !call->released) {
        call->released = true;
        call->next_released = table->released;
        table->released = call;
    }
}

bool call_in_libpri(const struct call *call) {
    int low_bits = 0;
    int high_bits = pri_get_crv(call->dchannel->pri, call->libpri_call, &low_bits);
    return high_bits >= 0 && (high_bits << 3 | low_bits) == call->reference;
}
