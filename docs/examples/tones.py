# SPDX-License-Identifier: GPL-2.0-or-later
"""Tones in a channel's own law, for the examples: what a core plays, it has to make."""

from __future__ import annotations

import math

RATE = 8000
_FULL_SCALE = 32767
_OVER_DBM0 = 3.14
"""A full-scale sine is so many dB above 0 dBm0 (A-law; mu-law 3.17). Source: G.711, clause 4."""


def tone(law: str, frequency: float, seconds: float, dbm0: float = -15.0) -> bytes:
    """A sine of that frequency (Hz), length (s) and level (dBm0), as octets of the law (alaw or mulaw)."""
    encode = alaw if law == "alaw" else mulaw
    peak = _FULL_SCALE * 10 ** ((dbm0 - _OVER_DBM0) / 20)
    step = 2 * math.pi * frequency / RATE
    return bytes(encode(round(peak * math.sin(step * n))) for n in range(round(seconds * RATE)))


def silence(law: str, seconds: float) -> bytes:
    """The idle octet, so long."""
    return bytes([0xD5 if law == "alaw" else 0xFF]) * round(seconds * RATE)


def alaw(sample: int) -> int:
    """A 16-bit sample as an A-law octet. Source: G.711 table 1a; even bits inverted."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(abs(sample) >> 3, 4095)
    segment = max(0, magnitude.bit_length() - 5)
    mantissa = magnitude >> max(1, segment) & 0x0F
    return (sign | segment << 4 | mantissa) ^ 0x55


def mulaw(sample: int) -> int:
    """A 16-bit sample as a mu-law octet. Source: G.711 table 2a; all bits inverted."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(abs(sample) >> 2, 8126) + 33
    segment = magnitude.bit_length() - 6
    return (sign | (segment << 4 | magnitude >> segment + 1 & 0x0F) ^ 0x7F) & 0xFF
