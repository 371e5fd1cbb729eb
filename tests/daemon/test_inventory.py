# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever the order of answers and events: a busy channel has its lease, and a lease its owner."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dahdi_py.core import config_file
from dahdi_py.daemon.circuits import Call, map_of
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.errors import NotFound
from dahdi_py.wire.messages.common import Bearer, Owner, Party
from dahdi_py.wire.messages.common import Lease as LeaseRecord
from dahdi_py.wire.messages.host import CallState, ChannelState, Snapshot

CONFIG = config_file.parse(
    {
        "cards": [{"name": "sim", "kind": "sim", "ports": ["T1"]}],
        "hosts": [{"name": "a"}],
        "spans": [{"name": "east", "card": "sim", "host": "a", "port": "1", "type": "T1", "number": 7}],
    }
)
SLOTS = st.integers(1, 5)


def client(number: int) -> Client:
    return Client(number, 1, 0, frozenset(), True)


def test_a_span_goes_by_name_and_number() -> None:
    inventory = Inventory(CONFIG)
    assert inventory.span("east") is inventory.span("7")
    with pytest.raises(NotFound, match="east"):
        inventory.span("1")


class Host(RuleBasedStateMachine):
    """What a host may say and answer in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.inventory = Inventory(CONFIG)
        self.clients = [client(number) for number in range(3)]
        self.count = 0

    def free(self, timeslot: int) -> bool:
        channel = self.inventory.channel("east", timeslot)
        return channel is not None and not channel.busy

    @rule(timeslot=SLOTS, owner=st.integers(0, 2))
    def reserve(self, timeslot: int, owner: int) -> None:
        if self.free(timeslot):
            self.count += 1
            self.inventory.lease(f"a/1/{self.count}", "a", "east", timeslot, Owner(), self.clients[owner])

    @rule(timeslot=SLOTS, owner=st.integers(0, 2))
    def place(self, timeslot: int, owner: int) -> None:
        if self.free(timeslot):
            self.count += 1
            name = f"c{self.count}"
            call = Call(name, "a", "outgoing", "setup", "", 0, Party(), Party(), Bearer(), 1)
            self.inventory.calls[name] = call
            self.inventory.own_call(call, self.clients[owner])
            self.inventory.bind(call, f"a/1/{self.count}", "east", timeslot)

    @precondition(lambda self: self.inventory.leases)
    @rule(data=st.data(), how=st.sampled_from(["end", "void", "move", "disown"]), to=SLOTS)
    def change(self, data: st.DataObject, how: str, to: int) -> None:
        token = data.draw(st.sampled_from(sorted(self.inventory.leases)))
        lease = self.inventory.leases[token]
        if how == "move" and self.free(to):
            self.inventory.move(token, "east", to)
        elif how == "disown":
            self.inventory.own(lease, None)
        elif how == "void":
            self.inventory.void_lease(token)
        elif how == "end" and not lease.call:
            self.inventory.end_lease(token)

    @precondition(lambda self: self.inventory.calls)
    @rule(data=st.data(), phase=st.sampled_from(["alerting", "active", "releasing", ""]))
    def progress(self, data: st.DataObject, phase: str) -> None:
        call = self.inventory.calls[data.draw(st.sampled_from(sorted(self.inventory.calls)))]
        if phase:
            self.inventory.phase(call, phase)
        else:
            self.inventory.end_call(call)
            channel = self.inventory.channel("east", call.timeslot)
            assert channel is not None
            assert not channel.busy

    @rule(timeslot=SLOTS)
    def held(self, timeslot: int) -> None:
        if self.free(timeslot):
            self.inventory.channel_state(ChannelState(span="east", timeslot=timeslot, disabled="quarantine"))
            self.inventory.channel_state(ChannelState(span="east", timeslot=timeslot))

    @rule()
    def reattach(self) -> None:
        before = set(self.inventory.leases), set(self.inventory.calls)
        owners = {token: lease.client for token, lease in self.inventory.leases.items()}
        leases = [
            LeaseRecord(token=one.token, span=one.span, timeslot=one.timeslot, owner=one.owner, call=one.call)
            for one in self.inventory.leases.values()
        ]
        calls = [
            CallState(
                call=one.call, direction=one.direction, phase=one.phase, span=one.span, timeslot=one.timeslot,
                token=one.token, called=one.called, calling=one.calling, bearer=one.bearer, started_ns=1,
            )
            for one in self.inventory.calls.values()
        ]  # fmt: skip
        busy = [
            ChannelState(span="east", timeslot=one.timeslot, phase=one.phase, token=one.token, call=one.call)
            for one in self.inventory.spans["east"].channels.values()
        ]
        snapshot = Snapshot(start=1, n=1, spans=[], channels=busy, leases=leases, calls=calls)
        self.inventory.load("a", snapshot, 1)
        assert before == (set(self.inventory.leases), set(self.inventory.calls))
        assert owners == {token: lease.client for token, lease in self.inventory.leases.items()}

    @rule()
    def die(self) -> None:
        self.inventory.lose("a", 1)
        assert not self.inventory.leases
        assert not self.inventory.calls

    @invariant()
    def a_lease_is_where_its_channel_says(self) -> None:
        for token, lease in self.inventory.leases.items():
            channel = self.inventory.channel(lease.span, lease.timeslot)
            assert channel is not None
            assert channel.token == token
            assert channel.busy
        for channel in self.inventory.spans["east"].channels.values():
            assert not channel.token or channel.token in self.inventory.leases
            assert not channel.call or channel.call in self.inventory.calls

    @invariant()
    def an_owner_knows_what_it_owns(self) -> None:
        for one in self.clients:
            assert one.tokens == {token for token, lease in self.inventory.leases.items() if lease.client is one}
            assert one.calls == {name for name, call in self.inventory.calls.items() if call.client is one}

    @invariant()
    def the_map_shows_each_timeslot(self) -> None:
        span = self.inventory.spans["east"]
        assert len(map_of(span, self.inventory.calls)) == 24
        assert 0 <= span.used <= len(span.channels) == 23


TestHost = Host.TestCase
Host.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
