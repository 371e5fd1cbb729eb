/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's DAHDI interface as this project uses it: what an ioctl carries, under names of our own.
 *
 * Declared here because no Debian development package has a header for it; a test compares every size, offset and
 * number with the header that DAHDI's modules are built from. Where a request has a first version of smaller size, this
 * is the second.
 */
#ifndef DAHDI_PY_ABI_H
#define DAHDI_PY_ABI_H

#include <stdint.h>
#include <sys/ioctl.h>

/* What read and write fail with while an event waits; no errno.h has a name for it. */
#define ABI_EVENT_PENDING 500

/* Framing and coding of a span. */
#define ABI_LINE_D4   (1 << 4)
#define ABI_LINE_ESF  (1 << 5)
#define ABI_LINE_AMI  (1 << 6)
#define ABI_LINE_B8ZS (1 << 7)
#define ABI_LINE_CCS  (1 << 8)
#define ABI_LINE_HDB3 (1 << 9)
#define ABI_LINE_CRC4 (1 << 10)

/* What a channel is configured as. HDLC modes contain the clear one. */
#define ABI_SIG_NONE    0
#define ABI_SIG_CLEAR   (1 << 7)
#define ABI_SIG_HDLCRAW ((1 << 8) | ABI_SIG_CLEAR)
#define ABI_SIG_HDLCFCS ((1 << 9) | ABI_SIG_HDLCRAW)

#define ABI_LAW_DEFAULT 0
#define ABI_LAW_MULAW   1
#define ABI_LAW_ALAW    2

#define ABI_POLICY_IMMEDIATE 0

/* What else a channel sends than what is written to it: nothing, or what another receives, as it is. */
#define ABI_CONF_NORMAL  0
#define ABI_CONF_DIGITAL 9

#define ABI_MAINT_NONE         0
#define ABI_MAINT_LOCAL_LOOP   1
#define ABI_MAINT_LINE_LOOP    2
#define ABI_MAINT_PAYLOAD_LOOP 13

#define ABI_FLUSH_READ  1
#define ABI_FLUSH_WRITE 2
#define ABI_FLUSH_EVENT 4

#define ABI_IOMUX_WRITE_EMPTY 4

struct abi_params {
    int channo;
    int spanno;
    int chanpos;
    int sigtype;
    int sigcap;
    int rx_offhook;
    int rx_bits;
    int tx_bits;
    int tx_hook;
    int rx_hook;
    int law;
    int idle_bits;
    char name[40];
    int times[11]; /* winks, flashes, pulses: nothing a PRI has */
    uint32_t alarms;
};

struct abi_span_status {
    int spanno;
    char name[20];
    char description[40];
    int alarms;
    int tx_level;
    int rx_level;
    int bpv;
    int crc4;
    int ebit;
    int fas;
    uint32_t fe;
    uint32_t cv;
    uint32_t be;
    uint32_t prbs;
    uint32_t errored_seconds;
    int irq_misses;
    int sync_source;
    int configured_channels;
    int channels;
    int spans;
    int build_out;
    int line;
    char build_out_name[40];
    char location[40];
    char manufacturer[40];
    char device_type[40];
    int irq;
    int line_capable;
    char span_type[6];
} __attribute__((packed));

struct abi_maintenance {
    int spanno;
    int command;
};

struct abi_gains {
    int channo;
    unsigned char rx[256];
    unsigned char tx[256];
};

struct abi_conference {
    int channo; /* 0: the descriptor's own */
    int number; /* of the channel that is listened to */
    int mode;
};

struct abi_span_config {
    int spanno;
    char name[20];
    int build_out;
    int line;
    int sync;
};

struct abi_channel_config {
    int channo;
    char name[40];
    int sigtype;
    int law;
    int master;
    int idle_bits;
    char network_device[16];
};

struct abi_buffers {
    int tx_policy;
    int rx_policy;
    int count;
    int size;
    int read_full;
    int write_full;
};

struct abi_version {
    char version[80];
    char echo_cancellers[80];
};

struct abi_echo_canceller {
    int channo;
    char name[16];
};

struct abi_dynamic_span {
    char driver[20];
    char address[40];
    int channels;
    int timing;
    int spanno;
};

#define ABI_CODE            0xDA
#define ABI_FLUSH           _IOW(ABI_CODE, 3, int)
#define ABI_GET_PARAMS      _IOWR(ABI_CODE, 5, struct abi_params)
#define ABI_GETEVENT        _IOR(ABI_CODE, 8, int)
#define ABI_IOMUX           _IOWR(ABI_CODE, 9, int)
#define ABI_SPANSTAT        _IOWR(ABI_CODE, 10, struct abi_span_status)
#define ABI_MAINT           _IOW(ABI_CODE, 11, struct abi_maintenance)
#define ABI_SETCONF         _IOWR(ABI_CODE, 13, struct abi_conference)
#define ABI_GETGAINS        _IOWR(ABI_CODE, 16, struct abi_gains)
#define ABI_SETGAINS        _IOW(ABI_CODE, 16, struct abi_gains)
#define ABI_SPANCONFIG      _IOW(ABI_CODE, 18, struct abi_span_config)
#define ABI_CHANCONFIG      _IOW(ABI_CODE, 19, struct abi_channel_config)
#define ABI_GET_BUFINFO     _IOR(ABI_CODE, 27, struct abi_buffers)
#define ABI_SET_BUFINFO     _IOW(ABI_CODE, 27, struct abi_buffers)
#define ABI_AUDIOMODE       _IOW(ABI_CODE, 32, int)
#define ABI_ECHOCANCEL      _IOW(ABI_CODE, 33, int)
#define ABI_CHANNO          _IOR(ABI_CODE, 34, int)
#define ABI_HDLCRAWMODE     _IOW(ABI_CODE, 36, int)
#define ABI_HDLCFCSMODE     _IOW(ABI_CODE, 37, int)
#define ABI_SPECIFY         _IOW(ABI_CODE, 38, int)
#define ABI_SETLAW          _IOW(ABI_CODE, 39, int)
#define ABI_GETVERSION      _IOR(ABI_CODE, 57, struct abi_version)
#define ABI_LOOPBACK        _IOW(ABI_CODE, 58, int)
#define ABI_ATTACH_ECHOCAN  _IOW(ABI_CODE, 59, struct abi_echo_canceller)
#define ABI_DYNAMIC_CREATE  _IOWR(ABI_CODE, 80, struct abi_dynamic_span)
#define ABI_DYNAMIC_DESTROY _IOW(ABI_CODE, 81, struct abi_dynamic_span)
#define ABI_STARTUP         _IOW(ABI_CODE, 99, int)
#define ABI_SHUTDOWN        _IOW(ABI_CODE, 100, int)
#define ABI_HDLC_RATE       _IOW(ABI_CODE, 101, int)
#define ABI_BUFFER_EVENTS   _IOW(ABI_CODE, 105, int)

#endif
