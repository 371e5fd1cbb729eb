# SPDX-License-Identifier: GPL-2.0-or-later
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, invariant, multiple, rule

from dahdi_py.core.channel import Channel, SpanChannels
from dahdi_py.core.lease import Lease, LeaseTable
from dahdi_py.core.terms import Administrative, Disabled, Phase, Timeslot
from dahdi_py.errors import AllocationError, ChannelBusy, OutOfService, StaleToken


def table() -> tuple[LeaseTable, list[Channel]]:
    spans = [SpanChannels("a"), SpanChannels("b")]
    return LeaseTable("h", 3), [Channel(span, Timeslot(slot)) for span in spans for slot in (1, 2)]


def test_a_token_names_host_start_and_counter() -> None:
    leases, channels = table()
    assert [leases.reserve(channel, "me").token for channel in channels[:2]] == ["h/3/1", "h/3/2"]


def test_refusals_say_why() -> None:
    leases, channels = table()
    first = leases.reserve(channels[0], "me")
    with pytest.raises(ChannelBusy) as busy:
        leases.reserve(channels[0], "you")
    assert (busy.value.cause, busy.value.holder) == (44, first.token)
    channels[1].block(Disabled.QUARANTINE)
    with pytest.raises(OutOfService, match="quarantine"):
        leases.reserve(channels[1], "you")
    channels[2].administer(Administrative.LOCKED)
    with pytest.raises(OutOfService, match="locked"):
        leases.reserve(channels[2], "you")
    channels[3].vacate(Phase.RELEASING)
    with pytest.raises(ChannelBusy) as releasing:
        leases.reserve(channels[3], "you")
    assert releasing.value.holder == "releasing"


def test_a_void_token_is_stale_while_its_channel_is_still_busy() -> None:
    leases, channels = table()
    lease = leases.reserve(channels[0], "me", call="c1")
    leases.void(lease)
    with pytest.raises(StaleToken):
        leases.find(lease.token)
    assert channels[0].lease is lease
    assert leases.end(lease) is channels[0]
    assert channels[0].free


def test_a_parked_lease_keeps_its_token_and_takes_no_channel() -> None:
    leases, channels = table()
    lease = leases.reserve(channels[0], "me", call="c1")
    nowhere = Channel(SpanChannels("a"), Timeslot(0))
    assert leases.park(lease, nowhere) is channels[0]
    assert channels[0].free
    assert leases.find(lease.token).channel is nowhere
    leases.reserve(channels[0], "you")
    assert leases.move(lease, channels[1]) is nowhere
    assert channels[1].lease is lease


class Leases(RuleBasedStateMachine):
    """Whatever is done in whatever order: one lease a channel, tokens that only grow, stale ones refused."""

    held: Bundle[Lease] = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.leases, self.channels = table()
        self.live: dict[str, Lease] = {}
        self.counters: list[int] = [0]
        self.ended: set[str] = set()

    @rule(target=held, index=st.integers(0, 3), exclusive=st.booleans(), call=st.sampled_from(["", "c"]))
    def reserve(self, index: int, exclusive: bool, call: str) -> Lease | MultipleResults[Lease]:
        channel = self.channels[index]
        could = channel.free and channel.span.service is None
        try:
            lease = self.leases.reserve(channel, "me", exclusive=exclusive, call=call)
        except AllocationError:
            assert not could
            return multiple()
        assert could
        self.counters.append(int(lease.token.split("/")[2]))
        self.live[lease.token] = lease
        return lease

    @rule(lease=held)
    def open(self, lease: Lease) -> None:
        lease.opened = True

    @rule(lease=held, index=st.integers(0, 3))
    def move(self, lease: Lease, index: int) -> None:
        if lease.token not in self.live:
            return
        channel, left, opened = self.channels[index], lease.channel, lease.opened
        could = channel.free and channel.span.service is None
        try:
            assert self.leases.move(lease, channel) is left
        except AllocationError:
            assert not could
            assert lease.channel is left
            return
        assert could
        assert left.pending is (Phase.RELEASING if opened else None)
        assert lease.channel is channel

    @rule(lease=held)
    def park(self, lease: Lease) -> None:
        if lease.token in self.live:
            left, nowhere = lease.channel, Channel(SpanChannels("nowhere"), Timeslot(0))
            assert self.leases.park(lease, nowhere) is left
            assert left.lease is None
            assert self.leases.find(lease.token).channel is nowhere

    @rule(lease=held)
    def end(self, lease: Lease) -> None:
        if lease.token in self.live:
            channel = self.leases.end(lease)
            del self.live[lease.token]
            self.ended.add(lease.token)
            assert channel.phase is (Phase.RELEASING if lease.opened else None)

    @rule(index=st.integers(0, 3))
    def proved_free(self, index: int) -> None:
        if self.channels[index].lease is None:
            self.channels[index].vacate()

    @rule(index=st.integers(0, 3), reason=st.sampled_from([None, Disabled.QUARANTINE, Disabled.REMOTE_OOS]))
    def block(self, index: int, reason: Disabled | None) -> None:
        self.channels[index].block(reason)

    @rule(index=st.integers(0, 3), reason=st.sampled_from([None, Disabled.SPAN_ALARM, Disabled.DCHANNEL_DOWN]))
    def service(self, index: int, reason: Disabled | None) -> None:
        self.channels[index].span.service = reason

    @invariant()
    def one_lease_a_channel(self) -> None:
        places = [lease.channel for lease in self.live.values()]
        assert len(set(places)) == len(places)
        assert [lease.token for lease in self.leases.all()] == list(self.live)
        for channel in self.channels:
            holders = [lease for lease in self.live.values() if lease.channel is channel]
            assert holders == ([channel.lease] if channel.lease else [])
            assert not (channel.free and (channel.lease or channel.pending or channel.blocked))

    @invariant()
    def tokens_only_grow(self) -> None:
        assert self.counters == sorted(set(self.counters))

    @invariant()
    def stale_tokens_name_nothing(self) -> None:
        for token in self.ended:
            with pytest.raises(StaleToken):
                self.leases.find(token)


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=80, stateful_step_count=40)
