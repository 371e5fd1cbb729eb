# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels joined in the kernel: what the contract does not say because only DAHDI has it."""

import os
from collections.abc import Iterator

import pytest

from dahdi_py.backends.base import Leg
from dahdi_py.backends.kernel_gain import gain_table
from dahdi_py.core.terms import Law, LineType, Mode, Timeslot
from dahdi_py.errors import Unsupported
from tests.backends.contract_bridge import CHUNK, DEPTH, A, B, heard, leg
from tests.backends.rig import Rig, media_of, opened
from tests.backends.traffic import exchange, send_block, take_all
from tests.kernel.test_contract import KernelRig

LOUD_DB = 6.0
QUIET_OCTET = 0x9A


@pytest.fixture
def rig() -> Iterator[KernelRig]:
    made = KernelRig(LineType.E1)
    yield made
    made.close()


def test_gains_work_on_what_is_joined_as_on_what_a_core_hears_and_says(rig: Rig) -> None:
    wanted = media_of(rig, gain_db=LOUD_DB)
    near_a, media = rig.backend.open_timeslot(rig.ports[0], Timeslot(A), wanted)
    far_a, _ = rig.backend.open_timeslot(rig.ports[1], Timeslot(A), media_of(rig))
    louder = gain_table(Law.ALAW, LOUD_DB)[QUIET_OCTET]
    assert louder != QUIET_OCTET
    with opened(rig, B) as [(near_b, far_b)]:
        a, b = Leg(rig.ports[0], Timeslot(A), near_a, media), leg(rig, 0, B, near_b)
        rig.backend.join(a, b)
        for sender, receiver in ((far_a, far_b), (far_b, far_a)):
            take_all(receiver)
            send_block(sender, bytes([QUIET_OCTET]) * 160)
            assert QUIET_OCTET not in heard(receiver, lambda octets: louder in octets)
        rig.backend.part(a, b)
    os.close(near_a)
    os.close(far_a)


def test_only_voice_is_joined(rig: Rig) -> None:
    with opened(rig, A, mode=Mode.DATA) as [(near_a, _)], opened(rig, B) as [(near_b, _)]:
        data = leg(rig, 0, A, near_a)._replace(media=media_of(rig, mode=Mode.DATA))
        with pytest.raises(Unsupported, match="the kernel joins voice, not data"):
            rig.backend.join(data, leg(rig, 0, B, near_b))


def test_a_span_that_is_started_knows_nothing_of_a_dead_process_bridges(rig: Rig) -> None:
    """The kernel would let a channel listen to another's next lessee for as long as somebody holds it open."""
    with opened(rig, A, B, chunk=CHUNK, depth=DEPTH) as pairs:
        [(near_a, far_a), (near_b, far_b)] = pairs
        rig.backend.join(leg(rig, 0, A, near_a), leg(rig, 0, B, near_b))
        exchange([(far_a, far_b)], 0.2, chunk=CHUNK)
        rig.backend.startup(rig.ports[0])
        for pair in pairs:
            for fd in pair:
                take_all(fd)
        exchange(pairs, 0.5, chunk=CHUNK)
