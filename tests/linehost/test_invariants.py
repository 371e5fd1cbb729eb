# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever clients, their daemon, the far end and the card do in whatever order: the invariants of leases hold.

1. At most one lease a channel; tokens only grow; a stale one is refused by every command.
2. A client's death voids its tokens and closes our descriptors at once; its channel is ``releasing`` until the far end
   completes, and after the second T308 nobody's until RESTART is acknowledged.
3. A channel that somebody still holds open is nobody's: ``releasing``, after two seconds quarantined with his name;
   his lease may be of a host that was killed since.
4. Nothing done on one span touches a call or lease of another.
"""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dahdi_py.core.call import CallPhase
from dahdi_py.core.terms import Alarms, Disabled
from dahdi_py.errors import AllocationError, WrongCallState
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.linehost.linecall import IncomingCall
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import Party
from tests.linehost.virtual import PAIRS, SPANS, TIMESLOTS, Service
from tests.linehost.witness import Client, Witness, attempt, pair_of, pick

spans = st.sampled_from(SPANS)
some = st.integers(0, 5)
"""Which of those that there are."""
NUMBER = Party(number="2001")


class Leases(RuleBasedStateMachine):
    """A host with two pairs of cabled spans, three channels each; two clients a pair."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="dpy-")
        self.service = Service(Path(self._directory.name))
        self.host = self.service.host
        self.witness = Witness(self.service)
        self.clients = [Client(f"core {n}", n % 2) for n in range(4)]
        self.calls = 0
        self.sound = True
        self.host.advance(3)
        assert all(line.link_up for line in self.host.lines)

    def teardown(self) -> None:
        try:
            if self.sound:
                self.everything_ends()
        finally:
            self.witness.let_go(list(self.witness.copies))
            self.service.close()
            self._directory.cleanup()

    # Leases.

    @precondition(lambda self: self.service.up)
    @rule(span=spans, timeslot=st.sampled_from((0, *TIMESLOTS)), which=some, exclusive=st.booleans(),
          open=st.booleans(), detach_s=st.sampled_from((0, 0, 4)))  # fmt: skip
    def reserve(self, span: str, timeslot: int, which: int, exclusive: bool, open: bool, detach_s: int) -> None:
        client = self._client(pair_of(span), which)
        with self._on(pair_of(span)):
            wants = m.ReserveRequest(
                spans=[span], owner=client.owner, timeslot=timeslot, exclusive=exclusive, open=open, detach_s=detach_s
            )
            asked = attempt(self.service, "Reserve", wants, AllocationError)
            if asked is not None:
                self.witness.expect(asked, client)

    @precondition(lambda self: self.service.up and self.witness.leases)
    @rule(which=some)
    def open(self, which: int) -> None:
        lease = pick(self.witness.leases, which)
        with self._on(pair_of(lease.channel.span.name)):
            client = next((one for one in self.clients if one.label == lease.owner.label), self.clients[0])
            asked = attempt(self.service, "Open", m.OpenRequest(token=lease.token), AllocationError)
            if asked is not None:
                self.witness.expect(asked, client, lease.token)

    @precondition(lambda self: self.service.up and self.witness.leases)
    @rule(which=some)
    def release(self, which: int) -> None:
        lease = pick(self.witness.leases, which)
        with self._on(pair_of(lease.channel.span.name)):
            self.witness.end(lease, "core")

    @precondition(lambda self: self.service.up and self.witness.leases)
    @rule(which=some, detach_s=st.sampled_from((0, 1, 60)))
    def renew(self, which: int, detach_s: int) -> None:
        lease = pick(self.witness.leases, which)
        with self._on(pair_of(lease.channel.span.name)):
            self.service.ask("Renew", m.RenewRequest(token=lease.token, detach_s=detach_s))

    @precondition(lambda self: self.service.up and self.witness.leases)
    @rule(which=some, to=some)
    def hand_over(self, which: int, to: int) -> None:
        lease = pick(self.witness.leases, which)
        pair = pair_of(lease.channel.span.name)
        with self._on(pair):
            self.service.ask("Assign", m.AssignRequest(token=lease.token, owner=self._client(pair, to).owner))

    @precondition(lambda self: self.witness.stale and self.service.up)
    @rule(which=some)
    def show_a_stale_token(self, which: int) -> None:
        self.witness.refused(pick(self.witness.stale, which))

    # Clients and their daemon.

    @precondition(lambda self: self.service.up)
    @rule(which=some, keeps=st.booleans(), unclaims=st.booleans())
    def a_client_dies(self, which: int, keeps: bool, unclaims: bool) -> None:
        """Its leases end, or what it had not answered is offered again; a child of its may keep the descriptors."""
        client = pick(self.clients, which)
        with self._on(client.pair):
            leases = self.witness.leases_of(client)
            tokens = {lease.token for lease in leases}
            for lease in leases:
                call = self.witness.unclaimable(lease)
                if call is not None and unclaims:
                    self.service.ask("Unclaim", m.UnclaimRequest(call=call.id))
                elif not lease.detached:
                    self.witness.end(lease, "client_death")
            client.gone = True
            self.clients[self.clients.index(client)] = Client(f"{client.label}+", client.pair)
            if not keeps:
                self.witness.let_go([copy for copy in self.witness.copies if copy.token in tokens])

    @precondition(lambda self: self.witness.copies)
    @rule(which=some)
    def let_go(self, which: int) -> None:
        copy = pick(self.witness.copies, which)
        with self._on(pair_of(copy.line.name)):
            self.witness.let_go([copy])

    @precondition(lambda self: self.service.up)
    @rule()
    def the_daemon_dies(self) -> None:
        self.service.kill_daemon()

    @precondition(lambda self: not self.service.up)
    @rule(reclaim=st.booleans())
    def another_daemon_comes(self, reclaim: bool) -> None:
        snapshot = self.service.return_daemon(5)
        assert [lease.token for lease in snapshot.leases] == [lease.token for lease in self.witness.leases]
        alive = {client.label: client for client in self.clients}
        for lease in self.witness.leases:
            if reclaim and lease.orphaned and lease.owner.label in alive:
                owner = alive[lease.owner.label].owner
                self.service.ask("Assign", m.AssignRequest(token=lease.token, owner=owner))
        self.host.carry()

    @rule()
    def the_host_dies_and_comes_back(self) -> None:
        self.witness.outlive_the_host()
        self.host = self.service.host
        self.host.advance(3)

    # Calls.

    @precondition(lambda self: self.service.up)
    @rule(span=spans, which=some, exclusive=st.booleans())
    def place(self, span: str, which: int, exclusive: bool) -> None:
        with self._on(pair_of(span)):
            self._place(self._client(pair_of(span), which), spans=[span], exclusive=exclusive)

    @precondition(lambda self: self.service.up and self.witness.leases)
    @rule(which=some)
    def place_on_a_lease(self, which: int) -> None:
        lease = pick(self.witness.leases, which)
        with self._on(pair_of(lease.channel.span.name)):
            self._place(self._client(pair_of(lease.channel.span.name), 0), token=lease.token)

    @precondition(lambda self: self.service.up)
    @rule(pair=st.integers(0, 1), which=some)
    def both_ends_place_at_once(self, pair: int, which: int) -> None:
        with self._on(pair):
            for span in PAIRS[pair]:
                self._place(self._client(pair, which), spans=[span], order="ascending")

    def _place(self, client: Client, **more: object) -> str:
        self.calls += 1
        call = f"call {self.calls}"
        request = m.PlaceRequest(call=call, owner=client.owner, called=NUMBER, **more)  # type: ignore[arg-type]
        attempt(self.service, "Place", request, AllocationError, WrongCallState)
        return call

    @precondition(lambda self: self.service.up and self._incoming)
    @rule(which=some, core=some, step=st.sampled_from(("Claim", "Claim", "Alert", "Answer", "Answer")))
    def take(self, which: int, core: int, step: str) -> None:
        call = pick(self._incoming, which)
        with self._on(pair_of(call.line.name)):
            client = self._client(pair_of(call.line.name), core)
            claim = m.ClaimRequest(call=call.id, owner=client.owner)
            if call.lease is not None:
                request = claim if step == "Claim" else m.CallRequest(call=call.id)
                attempt(self.service, step, request, WrongCallState)

    @precondition(lambda self: self.service.up and self.host.calls.by_id)
    @rule(which=some)
    def hang_up(self, which: int) -> None:
        call = pick(list(self.host.calls.by_id.values()), which)
        with self._on(pair_of(call.line.name)):
            self.service.ask("Hangup", m.HangupRequest(call=call.id))

    @precondition(lambda self: self.service.up and self._quarantined)
    @rule(which=some)
    def call_in_on_a_quarantined_channel(self, which: int) -> None:
        """A SETUP that accepts no other channel is refused by cause 44."""
        channel = pick(self._quarantined, which)
        span = channel.span.name
        pair = pair_of(span)
        other = next(name for name in PAIRS[pair] if name != span)
        with self._on(pair):
            client = self._client(pair, 0)
            wants = m.ReserveRequest(spans=[other], owner=client.owner, timeslot=channel.timeslot, open=False)
            asked = attempt(self.service, "Reserve", wants, AllocationError)
            if asked is None or not (self._talks(span) and self._talks(other)):
                return
            call = self._place(client, token=asked.reply_with.token)
            self.host.carry()
            ended = [event for event in self.witness.hear() if event.kind == "call.ended" and event.call == call]
            assert [event.data["cause"] for event in ended] == [44]

    # Operators.

    @precondition(lambda self: self.service.up)
    @rule(span=spans, mask=st.sampled_from((0, 2, 4, 8, 6)), force=st.booleans(),
          state=st.sampled_from(("locked", "shutting_down", "unlocked", "unlocked")))  # fmt: skip
    def administer(self, span: str, mask: int, state: str, force: bool) -> None:
        with self._on(pair_of(span)):
            request = m.AdministerRequest(span=span, state=state, timeslots=mask, who="me", why="work", force=force)
            if attempt(self.service, "Administer", request, AllocationError) is not None and force:
                locked = [
                    lease for lease in self.witness.leases if lease.channel.span.name == span and state == "locked"
                ]
                slots = [slot for slot in TIMESLOTS if not mask or mask >> slot & 1]
                assert not [lease for lease in locked if lease.channel.timeslot in slots], "a forced lock left a lease"
                self.witness.released |= self.witness.live.keys() - {lease.token for lease in self.witness.leases}

    # The far end, the line and the card.

    @rule(span=spans)
    def stop_hearing_clearing(self, span: str) -> None:
        self.host.deaf ^= {span}

    @rule(span=spans, timeslot=st.sampled_from(TIMESLOTS))
    def the_far_end_forgets(self, span: str, timeslot: int) -> None:
        """It has lost the channel's call, and restarts the channel."""
        with self._on(pair_of(span)):
            channel = self.host.channels.channel(span, timeslot)
            call = self.host.calls.by_id.get(channel.lease.call) if channel.lease else None
            if call is not None:
                self.host.calls.drop(call, 41, "host", "forgotten")
            others = {lease for lease in self.witness.leases if lease.channel.timeslot not in (0, timeslot)}
            if channel.lease is None:
                self.host.restarts.request(channel)
            self.host.carry()
            assert others <= set(self.witness.leases), "RESTART of one channel ended the lease of another"

    @precondition(lambda self: self.service.up)
    @rule(pair=st.integers(0, 1), keeps=st.booleans())
    def a_release_is_never_confirmed(self, pair: int, keeps: bool) -> None:
        """A call is up; its end is cleared, or its client dies, and the far end hears nothing of that."""
        near, far = PAIRS[pair]
        call = self._place(self._client(pair, 0), spans=[near])
        self.host.carry()
        for other in self._incoming:
            if other.line.name == far and other.lease is not None:
                claim = m.ClaimRequest(call=other.id, owner=self._client(pair, 1).owner)
                attempt(self.service, "Claim", claim, WrongCallState)
                attempt(self.service, "Answer", m.CallRequest(call=other.id), WrongCallState)
        self.host.carry()
        placed = self.host.calls.by_id.get(call)
        if placed is None or placed.lease is None or placed.phase is not CallPhase.ACTIVE or not self._talks(near):
            return
        channel = placed.line.bchannels[placed.timeslot]
        self.witness.hear()
        self.host.deaf.add(far)
        if keeps:
            self.witness.end(placed.lease, "client_death")
        else:
            self.service.ask("Hangup", m.HangupRequest(call=call))
        self.host.advance(45)
        told = [event for event in self.witness.hear() if event.kind == "channel.state" and event.span == near]
        phases = {event.data.get("phase") for event in told if event.timeslot == channel.timeslot}
        assert channel.must_restart or "restarting" in phases, "it is not restarted"

    @rule(span=spans)
    def take_the_span_away_or_bring_it_back(self, span: str) -> None:
        with self._on(pair_of(span)):
            self._toggle(self.host.channels.lines[span])

    def _toggle(self, line: SpanLine) -> None:
        if line.alarms is not Alarms.ABSENT:
            self.host.take_away(line)
            self.witness.let_go([copy for copy in self.witness.copies if copy.line is line])
        else:
            self.host.bring_back(line)

    @rule(span=spans, alarms=st.sampled_from((Alarms.RED, Alarms.NONE)))
    def alarm(self, span: str, alarms: Alarms) -> None:
        line = self.host.channels.lines[span]
        if line.alarms is not Alarms.ABSENT:
            with self._on(pair_of(span)):
                self.host.alarm(line, alarms)

    @rule(span=spans)
    def slow_the_card_down_or_let_it_answer(self, span: str) -> None:
        with self._on(pair_of(span)):
            port = self.host.channels.lines[span].config.port
            self.host.card.slow ^= {port}
            if port not in self.host.card.slow:
                self.host.card.answer(port)

    @rule(seconds=st.sampled_from((0.006, 0.3, 1.1, 2.2, 5.5, 35.0, 100.0)))
    def time_passes(self, seconds: float) -> None:
        self.host.advance(seconds)

    @invariant()
    def invariants_hold(self) -> None:
        self.sound, sound = False, self.sound
        self.witness.hear()
        self.witness.check()
        self.sound = sound

    def everything_ends(self) -> None:
        """When the far end hears again, the card answers and everybody lets go, every channel is idle again."""
        host, witness = self.host, self.witness
        host.deaf.clear()
        host.card.slow.clear()
        host.card.answer()
        witness.hear()
        witness.let_go(list(witness.copies))
        if not self.service.up:
            self.service.return_daemon(5)
        for line in host.lines:
            if line.alarms is Alarms.ABSENT:
                host.bring_back(line)
            host.alarm(line, Alarms.NONE)
            self.service.ask("Administer", m.AdministerRequest(span=line.name, state="unlocked"))
        for lease in list(witness.leases):
            witness.end(lease, "core")
        for call in list(host.calls.by_id.values()):
            self.service.ask("Hangup", m.HangupRequest(call=call.id))
        host.carry()
        for _ in range(40):
            witness.hear()
            witness.check()
            busy = [each.state() for line in host.lines for each in line.bchannels.values() if not each.free]
            if not (busy or host.calls.by_id or not all(line.link_up for line in host.lines)):
                break
            host.advance(10)
        else:
            raise AssertionError(f"never over: {busy}, {list(host.calls.by_id)}")
        witness.hear()
        witness.let_go(list(witness.copies))
        assert not witness.leases
        for line in host.lines:
            assert "Total active-calls:0 " in host.pump.info(line.dchannel)

    # What there is.

    def _on(self, pair: int) -> AbstractContextManager[None]:
        return self.witness.only(pair)

    def _client(self, pair: int, which: int) -> Client:
        return pick([client for client in self.clients if client.pair == pair], which)

    def _talks(self, span: str) -> bool:
        return self.host.channels.lines[span].link_up and span not in self.host.deaf

    @property
    def _incoming(self) -> list[IncomingCall]:
        return [call for call in self.host.calls.by_id.values() if isinstance(call, IncomingCall)]

    @property
    def _quarantined(self) -> list[BChannel]:
        lines = self.host.lines
        return [
            channel
            for line in lines
            for channel in line.bchannels.values()
            if channel.blocked is Disabled.QUARANTINE and line.channels.service is None
        ]


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=250, stateful_step_count=60, report_multiple_bugs=False)
