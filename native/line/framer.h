// SPDX-License-Identifier: GPL-2.0-or-later
/* The framer: timeslots into whole frames and back, and what the received bits say about the line. */
#ifndef DAHDI_PY_FRAMER_H
#define DAHDI_PY_FRAMER_H

#include "defects.h"
#include "e1.h"
#include "mux.h"
#include "t1.h"

/* Bits of DAHDI's alarm word. Source: DAHDI user.h DAHDI_ALARM_*. */
enum alarm {
    ALARM_LOOPBACK = 2,
    ALARM_YELLOW = 4,
    ALARM_RED = 8,
    ALARM_BLUE = 16,
    ALARM_NOTOPEN = 32,
    ALARM_LOS = 256,
    ALARM_LFA = 512,
    ALARM_LMFA = 1024
};

/* What a framer sends whatever it hears. */
enum force { FORCE_AIS = 1, FORCE_RAI = 2, FORCE_NO_SIGNAL = 4 };

/* What a line brings beside bits: whether there are pulses, and violations of the line code since the last time. */
struct line_input {
    bool signal;
    uint64_t violations;
};

struct framer_tx {
    size_t rows[MUX_GROUPS]; /* of the line that carry the timeslots of a group */
    uint64_t frames;
    uint64_t rai_until; /* T1: once begun, it is sent so long */
    bool rai;
    uint64_t spoil_fas, spoil_crc; /* frame alignment words (T1: framing bits) and CRCs still to be sent wrong */
    struct e1_tx e1;
    struct t1_tx t1;
    struct report_tx report; /* ESF */
};

struct framer_rx {
    bool aligned;
    unsigned end;             /* the bit of a row that ends a frame, all of it when nothing delays the line */
    unsigned last_end;        /* when it was aligned last, 0 before the first time */
    uint64_t fault_frames;    /* since LOS, LOF or AIS began */
    struct frame_bits before; /* the last row */
    struct los los;
    struct ais ais;
    union {
        struct e1_search e1_search;
        struct t1_search t1_search;
    };
    bool t1_contends; /* the search runs beside a doubted alignment */
    struct e1_rx e1;
    struct t1_rx t1;
};

struct framer {
    struct framing_config config;
    uint32_t alarms; /* from received bits alone */
    uint32_t force;  /* set of enum force */
    struct framer_counts counts;
    uint64_t slips;      /* for reports; whoever has the elastic store counts them */
    bool payload_looped; /* likewise */
    struct framer_tx tx;
    struct framer_rx rx;
};

void framer_init(struct framer *framer, const struct framing_config *config);
/* Another configuration in service: counts, forced signals and spare bits stay, alignment is looked for anew. */
void framer_configure(struct framer *framer, const struct framing_config *config);

/* The next n frames. Timeslots outside the set `changed` are as they were: `slots` has the same octet for as many
 * frames as a tick may have, and they stay on the line, for most are idle most of the time. */
void framer_send(struct framer *framer, slot_octets slots, uint32_t changed, line_signal line, size_t n);
/* n frames' worth of bits came off the line, begun at any bit of a frame. At least the timeslots in the set `wanted`
 * are read, all ones while there is no frame. */
void framer_receive(struct framer *framer, const line_signal line, const struct line_input *input, slot_octets slots,
                    uint32_t wanted, size_t n);

/* ESF: the codeword is sent that many times, 0 for until the next order, code 0 for no more. False for another framing
 * or what is no codeword. */
bool framer_send_bom(struct framer *framer, uint16_t code, unsigned repeats);
/* ESF: the codeword that is being received, 0 for none. */
uint16_t framer_bom(const struct framer *framer);
/* ESF: how many messages were received; *code is the last one. */
uint64_t framer_boms(const struct framer *framer, uint16_t *code);
/* n frames go by in which it neither sends nor receives. */
void framer_stand_still(struct framer *framer, size_t n);
/* ESF: the number of the second that is reported next; ends with other numbers are told from a loop. */
void framer_number_reports(struct framer *framer, unsigned number);
/* ESF: the seconds that the far end reports. */
const struct report_rx *framer_reports(const struct framer *framer);
/* E1: the spare bits Sa4-Sa8 sent and received, Sa4 highest of five. */
void framer_send_spare(struct framer *framer, uint8_t spare);
uint8_t framer_spare(const struct framer *framer);
/* So many frame alignment words (T1: framing bits) and CRCs more go out wrong. */
void framer_spoil(struct framer *framer, uint64_t fas, uint64_t crc);
/* Whether there are pulses on the line it sends. */
bool framer_has_signal(const struct framer *framer);

#endif
