# SPDX-License-Identifier: GPL-2.0-or-later
"""D-channels of the kernel under libpri: links up, calls on every B-channel of a pair with their audio."""

from collections.abc import Iterator

import pytest

from dahdi_py.ffi.libpri_events import Answered, Ended
from tests.kernel.lines import Dchannels, Pair, exchange


@pytest.fixture
def dchannels(pair: Pair) -> Iterator[Dchannels]:
    made = Dchannels(pair)
    yield made
    made.close()


@pytest.mark.timeout(180)
def test_a_call_on_every_channel_carries_its_audio_both_ways(dchannels: Dchannels) -> None:
    pair = dchannels.pair
    dchannels.both_up()
    slots = pair.config.bchannels
    handles = [dchannels.call(slot) for slot in slots]
    answered = dchannels.wait(Answered, len(slots))
    assert sorted(event.handle for event in answered) == handles
    assert sorted(event.channel or 0 for event in answered) == list(slots)

    exchange([(pair.open(0, slot), pair.open(1, slot)) for slot in slots], seconds=1.0)

    for handle in handles:
        dchannels.pump.hangup(handle)
    ended = dchannels.wait(Ended, 2 * len(slots))
    assert {event.cause for event in ended} == {16}
    assert sorted(event.handle for event in ended if event.cleared_by == "us") == handles


@pytest.mark.timeout(180)
def test_a_call_survives_a_cut_line(dchannels: Dchannels) -> None:
    """The kernel tells the D-channel of the alarm; nothing is read or written there until that event is taken."""
    pair = dchannels.pair
    dchannels.both_up()
    handle = dchannels.call(1)
    assert [event.handle for event in dchannels.wait(Answered)] == [handle]
    dchannels.detach(1)
    pair.backend.destroy(pair.ports[1])
    dchannels.until(lambda _: "alarm" in dchannels.drained, "alarm")
    assert "no_alarm" not in dchannels.drained

    pair.backend.configure(pair.ports[1], pair.config)
    pair.backend.startup(pair.ports[1])
    dchannels.until(lambda _: "no_alarm" in dchannels.drained, "end of the alarm")
    dchannels.attach(1)
    dchannels.pump.hangup(handle)
    assert [event.cause for event in dchannels.wait(Ended, 2)] == [16, 16]
