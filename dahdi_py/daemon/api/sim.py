# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Sim`: what is asked of a simulated line goes to its card, which answers when it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from dahdi_py.core.config import Card, Config
from dahdi_py.daemon.checks import refuse_parameter
from dahdi_py.daemon.circuits import Channel
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.errors import ChannelBusy, DahdiPyError, DeviceGone, NotFound, Unreachable, Unsupported
from dahdi_py.wire.caller import Caller
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.loop import Loop
from dahdi_py.wire.messages import cable
from dahdi_py.wire.messages.sim import INTERFACE, LoopRequest, ShowRequest, SimLine, SimLines
from dahdi_py.wire.refusals import InvalidParameter
from dahdi_py.wire.server import Request

_ANSWER_S = 5.0
_DONE = Empty()
_SHOW, _CABLE, _LOOP = "Show", "Cable", "Loop"


class SimApi:
    """Answers every method of `org.dahdipy.Sim`.

    Args:
        socket: Where the card of that name listens.

    Synchronization: the loop's thread.
    """

    def __init__(self, loop: Loop, conf: Config, inventory: Inventory, socket: Callable[[str], Path]) -> None:
        self._loop = loop
        self._inventory = inventory
        self._socket = socket
        self._cards = {card.name: card for card in conf.cards if card.kind == "sim"}
        self._spans = {(span.card, span.port): span.name for span in conf.spans}
        self._callers: dict[str, Caller] = {}

    def handlers(self) -> Mapping[str, Handler]:
        """By method name."""
        forwarded = {
            method.name: partial(self._forward, method.name)
            for method in INTERFACE.methods
            if method.name not in (_SHOW, _CABLE, _LOOP)
        }
        return {_SHOW: self.show, _CABLE: self.plug, _LOOP: self.loop, **forwarded}

    def close(self) -> None:
        """No card is talked to any more."""
        for caller in self._callers.values():
            caller.close()

    def show(self, request: Request, wants: ShowRequest) -> None:
        """One line, or all of them; a card that does not answer is said to be absent."""
        wanted = self._place(wants.port) if wants.port else None
        _Showing(self, request, wanted).begin([wanted[0]] if wanted else list(self._cards))

    def plug(self, request: Request, wants: cable.CableRequest) -> None:
        """A cable joins two ports of one card."""
        (card, a), (other, b) = self._place(wants.a), self._place(wants.b)
        if card != other:
            why = f"{wants.a} is on card {card} and {wants.b} on card {other}; a cable stays on its card"
            raise refuse_parameter("b", why)
        self._tell(request, card, _CABLE, cable.CableRequest(a=a, b=b))

    def loop(self, request: Request, wants: LoopRequest) -> None:
        """A port is looped, or not any more; one with busy channels only when that is forced."""
        card, port = self._place(wants.port)
        if wants.loop not in (None, "none") or wants.timeslots:
            timeslots = None if wants.loop not in (None, "none") else wants.timeslots
            self._refuse_if_busy(card, port, timeslots, wants.force)
        told = cable.LoopRequest(
            port=port, loop=wants.loop, timeslots=wants.timeslots, duration_ms=wants.duration_ms
        )  # fmt: skip
        self._tell(request, card, _LOOP, told)

    def _refuse_if_busy(self, card: str, port: str, timeslots: Sequence[int] | None, force: bool) -> None:
        name = self._spans.get((card, port))
        if name is None:
            return
        channels = self._inventory.spans[name].channels
        busy = [slot for slot, one in channels.items() if one.busy and (timeslots is None or slot in timeslots)]
        urgent = [slot for slot in busy if self._carries_emergency(channels[slot])]
        if urgent:
            raise ChannelBusy(
                f"span {name}: timeslot {urgent[0]} carries an emergency call, which no loop cuts off, forced or not",
                holder="", cause=44,
            )  # fmt: skip
        if busy and not force:
            what = f"timeslot {busy[0]} is" if len(busy) == 1 else f"{len(busy)} channels are"
            raise ChannelBusy(
                f"span {name}: {what} busy, and a loop cuts off what is up; wait, or loop it with force",
                holder="", cause=44,
            )  # fmt: skip

    def _forward(self, method: str, request: Request, wants: Any) -> None:
        card, port = self._place(wants.port)
        self._tell(request, card, method, msgspec.structs.replace(wants, port=port))

    def _tell(self, request: Request, card: str, method: str, asked: msgspec.Struct) -> None:
        def told(_: Empty | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if error is None:
                request.reply(_DONE)
            elif isinstance(error, InvalidParameter) and getattr(asked, "duration_ms", None) and method == _LOOP:
                request.fail(_cannot_end_loops(card, error))
            else:
                request.fail(error if not isinstance(error, Unreachable) else gone(card, error))

        self.ask(card, method, asked, Empty, request.guard(told))

    def ask(
        self, card: str, method: str, asked: msgspec.Struct, reply: type[msgspec.Struct],
        on_reply: Callable[[Any, list[int], DahdiPyError | None], None],
    ) -> None:  # fmt: skip
        """The card's answer comes to `on_reply`, or why there is none."""
        caller = self._callers.get(card)
        if caller is None or caller.closed:
            try:
                caller = self._callers[card] = Caller(self._loop, self._socket(card))
            except Unreachable as error:
                on_reply(None, [], error)
                return
        caller.call(f"org.dahdipy.Card.{method}", asked, reply, on_reply, timeout=_ANSWER_S)

    def _place(self, name: str) -> tuple[str, str]:
        """The card and port that a span's name or number, or CARD:PORT, means."""
        card, colon, port = name.rpartition(":")
        if colon and card in self._cards:
            return card, self._port_of(self._cards[card], port)
        try:
            span = self._inventory.span(name).config
        except NotFound:
            raise NotFound(self._known(name), kind="span", name=name) from None
        if span.card not in self._cards:
            raise Unsupported(
                f"span {span.name} is on card {span.card}, which is real: only a simulated line can be practised on"
                f"{self._simulated()}",
                operation="sim", span=span.name, driver="dahdi",
            )  # fmt: skip
        return span.card, span.port

    def _port_of(self, card: Card, port: str) -> str:
        if port not in {str(number) for number in range(1, len(card.ports) + 1)}:
            raise NotFound(
                f"card {card.name} has no port {port!r}; ports are 1-{len(card.ports)}", kind="port", name=port
            )
        return port

    def _carries_emergency(self, channel: Channel) -> bool:
        call = self._inventory.calls.get(channel.call)
        return call is not None and call.emergency

    def _known(self, name: str) -> str:
        spans = ", ".join(self._inventory.spans) or "none is configured"
        cards = ", ".join(f"{card.name}:1-{len(card.ports)}" for card in self._cards.values())
        return f"no span {name!r}; spans: {spans}; ports of simulated cards: {cards or 'none is configured'}"

    def _simulated(self) -> str:
        names = ", ".join(span for (card, _), span in self._spans.items() if card in self._cards)
        return f" ({names})" if names else "; none is configured"

    def named(self, card: str, port: str) -> str:
        """What a port is called: its span's name, else CARD:PORT."""
        return self._spans.get((card, port), f"{card}:{port}")

    def line(self, card: str, line: cable.Line) -> SimLine:
        """The line with the names it has here."""
        span = self._spans.get((card, line.port), "")
        return SimLine(
            card=card, span=span, number=(self._inventory.spans[span].config.number or 0) if span else 0,
            cabled_to=self.named(card, line.cable) if line.cable else "", line=line,
        )  # fmt: skip


class _Showing:
    """One look at some cards, on its way.

    Synchronization: the loop's thread.
    """

    def __init__(self, api: SimApi, request: Request, wanted: tuple[str, str] | None) -> None:
        self._api = api
        self._request = request
        self._wanted = wanted
        self._found: dict[str, list[SimLine]] = {}
        self._absent: dict[str, str] = {}

    def begin(self, cards: Sequence[str]) -> None:
        """Every card is asked; the answer goes out when the last of them has come."""
        awaited = set(cards)

        def answered(card: str, reply: cable.LineList | None, fds: list[int], error: DahdiPyError | None) -> None:
            if reply is not None:
                self._found[card] = [self._api.line(card, line) for line in reply.lines]
            else:
                self._absent[card] = error.message if error is not None else "no answer"
            awaited.discard(card)
            if not awaited:
                self._answer(cards)

        if not cards:
            self._answer(cards)
        for card in cards:
            came = self._request.guard(partial(answered, card))
            self._api.ask(card, "Lines", _DONE, cable.LineList, came)

    def _answer(self, cards: Sequence[str]) -> None:
        lines = [one for card in cards for one in self._found.get(card, [])]
        if self._wanted is not None:
            if self._absent:
                self._request.fail(gone(*next(iter(self._absent.items()))))
                return
            lines = [one for one in lines if one.line.port == self._wanted[1]]
        self._request.reply(SimLines(lines=lines, absent=self._absent))


def _cannot_end_loops(card: str, why: DahdiPyError) -> DahdiPyError:
    """The error for a card of a version before loops that end."""
    if "duration_ms" not in why.message:
        return why
    text = f"card {card} is of an older version, which cannot end a loop by itself: keep it (--keep) and end it (none)"
    return Unsupported(text, operation="loop", span="", driver="sim")


def gone(card: str, why: DahdiPyError | str) -> DeviceGone:
    """The error for a card that does not answer."""
    reason = why if isinstance(why, str) else why.message
    return DeviceGone(f"card {card} does not answer: {reason}", operation="sim", span="", driver="sim")
