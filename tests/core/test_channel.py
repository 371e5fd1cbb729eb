# SPDX-License-Identifier: GPL-2.0-or-later
from dahdi_py.core.channel import Channel, SpanChannels
from dahdi_py.core.lease import LeaseTable
from dahdi_py.core.terms import Administrative, Disabled, Phase, Timeslot


def channel() -> Channel:
    return Channel(SpanChannels("a"), Timeslot(5))


def test_a_new_channel_is_free_and_operational() -> None:
    one = channel()
    assert (one.free, one.disabled, one.phase) == (True, None, None)
    assert one.span.usable == 1 << 5
    assert list(one.span) == [one]


def test_the_spans_reason_hides_the_channels_own_and_leaves_it_as_it_was() -> None:
    one = channel()
    one.block(Disabled.QUARANTINE)
    seen = []
    for reason in (Disabled.SPAN_ALARM, None):
        one.span.service = reason
        seen.append(one.disabled)
    assert seen == [Disabled.SPAN_ALARM, Disabled.QUARANTINE]
    assert not one.free
    one.block(None)
    assert one.free


def test_a_span_out_of_service_offers_nothing_and_forgets_nothing() -> None:
    one = channel()
    one.span.service = Disabled.DCHANNEL_DOWN
    assert one.span.usable == 0
    assert one.free


def test_a_busy_channel_can_be_disabled_and_stays_busy() -> None:
    one = channel()
    lease = LeaseTable("h", 1).reserve(one, "owner")
    one.span.service = Disabled.SPAN_ALARM
    assert (one.phase, one.disabled, one.lease) == (Phase.RESERVED, Disabled.SPAN_ALARM, lease)


def test_a_locked_channel_is_not_free_until_unlocked() -> None:
    one = channel()
    one.administer(Administrative.SHUTTING_DOWN)
    assert not one.free
    one.administer(Administrative.UNLOCKED)
    assert one.free


def test_between_two_leases_a_channel_is_busy_with_what_is_pending() -> None:
    one = channel()
    one.vacate(Phase.RESTARTING)
    assert (one.free, one.phase) == (False, Phase.RESTARTING)
    one.vacate()
    assert (one.free, one.phase) == (True, None)
