# SPDX-License-Identifier: GPL-2.0-or-later
"""Opening channels: buffers, policies and modes right for what the channel is used for."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from dahdi_py.backends.base import Media
from dahdi_py.backends.kernel_gain import gain_table
from dahdi_py.core.terms import Mode
from dahdi_py.ffi import dahdi, dahdi_channel

DCHANNEL_BUFFERS = (32, 1024)
"""Count and size: all the room there is. A frame of Q.921's longest, 260 octets and FCS, fits; one that fills a buffer
is lost. Source: Q.921 5.9.3 (N201)."""

HDLC_SIZE = 1024
"""Least buffer for frames on a B-channel."""

CANCELLER_TAPS = 1024
"""Echo tail that the canceller covers, 8 taps a ms: 128 ms. Source: G.168 1."""


def open_dchannel(channo: int, devices: Path) -> int:
    """A descriptor of HDLC frames with FCS, empty, that sends at once."""
    fd = _specified(channo, devices)
    try:
        dahdi_channel.set_bufinfo(fd, *DCHANNEL_BUFFERS)
        dahdi_channel.buffer_events(fd, False)
        dahdi_channel.flush(fd, dahdi_channel.Flush.EVENT)
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_bchannel(control: int, channo: int, media: Media, canceller: str, devices: Path) -> tuple[int, Media]:
    """A descriptor of the channel's octets, and what it really is.

    Args:
        canceller: Echo canceller to attach where one is asked for, such as ``mg2``.
    """
    media = settled(media)
    fd = _specified(channo, devices)
    try:
        _prepare(control, fd, channo, media, canceller)
    except BaseException:
        os.close(fd)
        raise
    return fd, media


def prove_free(channo: int, devices: Path) -> None:
    """The channel was opened and closed again: the kernel gives it to one holder at a time.

    Raises:
        DeviceBusy: Somebody holds it.
    """
    os.close(_specified(channo, devices))


def settled(media: Media) -> Media:
    """What a channel can really be of what was asked.

    Buffers hold 16 to 8192 octets, 2 to 32 of them, 32768 octets in all. Only voice has canceller and gain.
    Source: DAHDI 2.11.1 dahdi-base.c (SET_BUFINFO, AUDIOMODE).
    """
    chunk = min(max(media.chunk, HDLC_SIZE if media.mode is Mode.HDLC else 16), 8192)
    depth = min(max(media.depth, 2), 32, dahdi_channel.BUFFER_SPACE // chunk)
    voice = media.mode is Mode.VOICE
    return dataclasses.replace(
        media,
        chunk=chunk,
        depth=depth,
        echo_canceller=media.echo_canceller and voice,
        gain_db=media.gain_db if voice else 0.0,
        medium="kernel",
    )


def _prepare(control: int, fd: int, channo: int, media: Media, canceller: str) -> None:
    dahdi_channel.setlaw(fd, media.law)
    if media.mode is Mode.HDLC:
        dahdi_channel.hdlc_rate(fd, 64)
        dahdi_channel.hdlcfcsmode(fd, True)
    else:
        dahdi_channel.audiomode(fd, media.mode is Mode.VOICE)
    if media.echo_canceller:
        dahdi.attach_echocan(control, channo, canceller)
        dahdi_channel.echocancel(fd, CANCELLER_TAPS)
    if media.gain_db:
        table = gain_table(media.law, media.gain_db)
        dahdi_channel.setgains(fd, table, table)
    dahdi_channel.set_bufinfo(fd, media.depth, media.chunk)
    # An event makes reads and writes fail until it is taken; a slow client must not get one for each missed block. The
    # kernel keeps this setting from the last one who opened the channel.
    dahdi_channel.buffer_events(fd, False)


def _specified(channo: int, devices: Path) -> int:
    fd = dahdi_channel.open_channel(devices)
    try:
        dahdi_channel.specify(fd, channo)
    except BaseException:
        os.close(fd)
        raise
    return fd
