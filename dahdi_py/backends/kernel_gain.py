# SPDX-License-Identifier: GPL-2.0-or-later
"""Gain as the kernel does it: a table that says which octet becomes which."""

from __future__ import annotations

from functools import lru_cache

from dahdi_py.core.terms import Law


def linear(octet: int, law: Law) -> int:
    """The sample an octet stands for, 14 bits (mu-law) or 13 bits (A-law) scaled to 16. Source: G.711 tables 1, 2."""
    if law is Law.ALAW:
        value = octet ^ 0x55
        segment, step = (value >> 4) & 7, (value & 15) << 4
        size = step + 8 if segment == 0 else (step + 0x108) << (segment - 1)
        return size if value & 0x80 else -size
    value = ~octet & 0xFF
    size = ((((value & 15) << 3) + 0x84) << ((value >> 4) & 7)) - 0x84
    return -size if value & 0x80 else size


@lru_cache(maxsize=16)
def gain_table(law: Law, gain_db: float) -> bytes:
    """For each of 256 octets the one nearest to it times the gain, of the same sign; louder than the law: its loudest.

    Args:
        gain_db: dB, 0.0 for the identity.
    """
    factor = 10.0 ** (gain_db / 20.0)
    samples = [linear(octet, law) for octet in range(256)]

    def nearest(octet: int) -> int:
        same_sign = (code for code in range(256) if (code ^ octet) & 0x80 == 0)
        return min(same_sign, key=lambda code: abs(samples[code] - samples[octet] * factor))

    return bytes(nearest(octet) for octet in range(256))
