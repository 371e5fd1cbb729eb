# SPDX-License-Identifier: GPL-2.0-or-later
"""`Administer` of channels, spans, groups and hosts: drain, lock, unlock, and say what the far end sees of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dahdi_py.daemon import older, views
from dahdi_py.daemon.administration import LOCKED, SHUTTING_DOWN, UNLOCKED, request_of
from dahdi_py.daemon.api.beside import answer_kept
from dahdi_py.daemon.checks import check_text, refuse_parameter
from dahdi_py.daemon.circuits import Channel
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.kept import Administered, Subject
from dahdi_py.daemon.link import Link
from dahdi_py.daemon.serving import GROUP_CLOSED_CAUSE
from dahdi_py.daemon.who import user_name
from dahdi_py.errors import ChannelBusy, DahdiPyError, NotFound
from dahdi_py.wire.messages import channels, groups, host, hosts, spans
from dahdi_py.wire.messages.common import AdministerReply
from dahdi_py.wire.server import Request

_STATES = (UNLOCKED, SHUTTING_DOWN, LOCKED)
_FAR_END = {
    "service": "the far end is told by SERVICE and offers nothing there",
    "alternate": "the far end is not told: a call it offers there gets another channel, or cause 44 when it insists on "
    "that one, or 34 when none is free",
    "nothing": "no calls run there, the far end sees nothing of it",
}
_BACK = {"service": "the far end is told by SERVICE that it is back"}
_Answer = Callable[[Request, Administered, list[str]], None]
_ABSENT = "its line host is not connected: it is done as soon as it is"


class AdministerApi:
    """Answers every `Administer`.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._inventory = control.inventory

    def channel(self, request: Request, wants: channels.AdministerRequest) -> None:
        """One B-channel."""
        span = self._inventory.span(wants.span)
        if wants.timeslot not in span.channels:
            raise NotFound(
                f"span {span.name} has no B-channel in timeslot {wants.timeslot}",
                kind="channel", name=f"{span.name}:{wants.timeslot}",
            )  # fmt: skip
        self._administer(request, Subject("channel", span.name, wants.timeslot), wants.state, wants.reason, wants.force)

    def span(self, request: Request, wants: spans.AdministerRequest) -> None:
        """Every B-channel of a span."""
        name = self._inventory.span(wants.span).name
        self._administer(request, Subject("span", name), wants.state, wants.reason, wants.force)

    def lift(self, request: Request, wants: spans.LiftRequest) -> None:
        """A span that came and went is preferred again."""
        one = self._inventory.span(wants.span)
        link = self._control.require(self._control.hosts[one.config.host].link)
        older.require(link, 2, "end a hold-down")

        def lifted(state: host.SpanState | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if state is None:
                request.fail(error or DahdiPyError("no answer"))
                return
            self._inventory.span_state(state)
            self._control.alarms.look_at_once()
            request.reply(spans.SpanReply(span=views.span(self._inventory, one)))

        link.call(
            "org.dahdipy.Host.LiftHoldDown", host.LiftRequest(span=one.name), host.SpanState, request.guard(lifted)
        )

    def host(self, request: Request, wants: hosts.AdministerRequest) -> None:
        """Every B-channel of a host's spans."""
        if wants.host not in self._control.hosts:
            known = ", ".join(self._control.hosts) or "none is configured"
            raise NotFound(f"no line host {wants.host!r}; hosts: {known}", kind="host", name=wants.host)
        self._administer(request, Subject("host", wants.host), wants.state, wants.reason, wants.force)

    def group(self, request: Request, wants: groups.AdministerRequest) -> None:
        """A trunk group: nothing new goes out or comes in by it; its channels stay as they are for other groups."""
        known = [group.name for group in self._control.config.groups]
        if wants.group not in known:
            listed = ", ".join(known) or "none is configured"
            raise NotFound(f"no group {wants.group!r}; groups: {listed}", kind="group", name=wants.group)
        one = self._given(request.peer.data, Subject("group", wants.group), wants.state, wants.reason)
        if one.state == LOCKED and not wants.force:
            self._require_idle(one.subject)
        self._control.administration.set(one, [_group_far_end(one)])
        if one.state == LOCKED:
            self._clear_group(one)
        self._answer(request, one, [_group_far_end(one)])

    def _given(self, client: Client, subject: Subject, state: str, reason: str) -> Administered:
        if state not in _STATES:
            raise refuse_parameter("state", f"{state!r}; expected {', '.join(_STATES)}")
        check_text("reason", reason, 200)
        if state != UNLOCKED and not reason.strip():
            raise refuse_parameter("reason", f"say why {subject} is to be {state}: whoever finds it so wants to know")
        return self._control.administration.given(subject, state, user_name(client.uid), reason.strip())

    def _require_idle(self, subject: Subject) -> None:
        busy = self._control.administration.busy(subject)
        if busy:
            raise ChannelBusy(
                f"{subject}: {busy} channel{'s are' if busy > 1 else ' is'} busy: drain it and wait, or lock it with "
                "force, which clears what is up (never an emergency call)",
                holder="", cause=44,
            )  # fmt: skip

    def _administer(self, request: Request, subject: Subject, state: str, reason: str, force: bool) -> None:
        one = self._given(request.peer.data, subject, state, reason)
        if state == LOCKED and not force:
            self._require_idle(subject)
        _Change(self._control, request, one, force, self._answer).begin()

    def _answer(self, request: Request, one: Administered, far_end: list[str]) -> None:
        administration = self._control.administration
        stays = administration.stays(one.subject) if one.state == UNLOCKED else []
        busy = administration.busy(one.subject)
        reply = AdministerReply(state=one.state, far_end=far_end, busy=busy, stays=stays)
        answer_kept(self._control.journal, request, reply)

    def _clear_group(self, one: Administered) -> None:
        """What the group carries is being cleared, emergency calls apart."""
        for lease in list(self._control.administration.leases_of_group(one.subject.name)):
            call = self._inventory.calls.get(lease.call)
            if call is None or not call.emergency:
                self._control.owners.clear_lease(lease, "operator", f"group {one.subject.name} was locked: {one.why}")


class _Change:
    """One subject's change on its way through the hosts that have its channels.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, request: Request, one: Administered, force: bool, answer: _Answer) -> None:
        self._control = control
        self._request = request
        self._one = one
        self._force = force
        self._answer = answer
        self._far_end: list[str] = []
        self._awaited = 1
        self._problem: DahdiPyError | None = None
        self._obeyed: list[tuple[Link, list[host.AdministerRequest]]] = []

    def begin(self) -> None:
        """Every host is asked.

        Raises:
            Unsupported: A host is of a version that cannot do it.
        """
        by_span: dict[str, dict[Administered, list[Channel]]] = {}
        for channel, wanted in self._control.administration.changing(self._one):
            by_span.setdefault(channel.span, {}).setdefault(wanted, []).append(channel)
        for span in by_span:
            older.require(self._link(span), 2, "lock channels")
        for span, asked in by_span.items():
            link = self._link(span)
            if link.up:
                for wanted, own in asked.items():
                    self._ask(link, span, wanted, own)
            else:
                self._far_end.append(f"span {span}: {_ABSENT}")
        self._came_back()

    def _link(self, span: str) -> Link:
        return self._control.hosts[self._control.inventory.spans[span].config.host].link

    def _ask(self, link: Link, span: str, wanted: Administered, own: Sequence[Channel]) -> None:
        back = _as_they_are(span, own)
        itself = wanted.subject == self._one.subject

        def done(reply: host.AdministerReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if reply is not None:
                self._obeyed.append((link, back))
                words = _BACK if self._one.state == UNLOCKED else _FAR_END
                if itself and reply.far_end in words:
                    self._far_end.append(f"span {span}: {words[reply.far_end]}")
            self._problem = self._problem or error
            self._came_back()

        self._awaited += 1
        mask = sum(1 << channel.timeslot for channel in own)
        asked = request_of(span, mask, wanted, self._force and itself)
        link.call("org.dahdipy.Host.Administer", asked, host.AdministerReply, self._request.guard(done))

    def _came_back(self) -> None:
        self._awaited -= 1
        if self._awaited:
            return
        if self._problem is not None:
            # All of it or nothing: who obeyed is told to be as before.
            for link, back in self._obeyed:
                for asked in back:
                    link.tell("Administer", asked, host.AdministerReply)
            self._request.fail(self._problem)
            return
        self._control.administration.set(self._one, self._far_end)
        self._answer(self._request, self._one, self._far_end)


def _group_far_end(one: Administered) -> str:
    if one.state == UNLOCKED:
        return f"{one.subject}: calls go out and come in by it again"
    return (
        f"{one.subject}: nothing goes out by it; a call that comes in on a channel of no other group is refused with "
        f"cause {GROUP_CLOSED_CAUSE}; its channels stay as they are for other groups"
    )


def _as_they_are(span: str, channels: Sequence[Channel]) -> list[host.AdministerRequest]:
    """What makes the span's channels again what they are now; one that was locked is drained, if it takes a call."""
    masks: dict[tuple[str, str, str, int], int] = {}
    for one in channels:
        state = UNLOCKED if one.administrative == UNLOCKED else SHUTTING_DOWN
        key = (state, one.who, one.why, one.since_ns)
        masks[key] = masks.get(key, 0) | 1 << one.timeslot
    return [
        host.AdministerRequest(span=span, state=state, timeslots=mask, who=who, why=why, since_ns=since_ns)
        for (state, who, why, since_ns), mask in masks.items()
    ]
