# SPDX-License-Identifier: GPL-2.0-or-later
"""Openings and proofs on a connection of their own: a turn's worth in one message, answered when the card has them.

The card answers batches in order, so any number may be under way. A proof nobody waits for goes with the next opening,
or by itself a moment later: it is then no wake-up of its own.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import TypeVar

import msgspec

from dahdi_py.backends.base import Media, OnOpened, OnProved
from dahdi_py.backends.card_link import connect, refusal_of
from dahdi_py.errors import DeviceGone
from dahdi_py.ffi.timer import Timer
from dahdi_py.wire.framing import DESCRIPTOR_LIMIT, Reader, close_all, parse_reply, receive
from dahdi_py.wire.loop import turn
from dahdi_py.wire.messages.card import CardBatchReply, CardRefused
from dahdi_py.wire.refusals import ProtocolError

log = logging.getLogger("dahdi_py.backends.card_batch")

PROOF_DELAY_S = 0.005
"""So long a proof waits for an opening to go with."""
_PROOFS = 1000
_DONTWAIT = int(socket.MSG_DONTWAIT)
_CALL = b'{"method":"org.dahdipy.Card.Batch","parameters":{"prove":[%b],"open":[%b]}}\0'
_decode = msgspec.json.Decoder(CardBatchReply).decode

_T = TypeVar("_T")


@dataclass(slots=True)
class Opening:
    """A timeslot to be opened: its request as JSON, and what it will be."""

    request: bytes
    port: str
    media: Media
    done: OnOpened


@dataclass(slots=True)
class Proof:
    """A timeslot to be proved free: its request as JSON."""

    request: bytes
    port: str
    done: OnProved


@dataclass(slots=True)
class _Batch:
    proofs: list[Proof] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    deadline: float = 0.0


class CardBatches:
    """What is asked of the card without waiting for the answer.

    Args:
        card: The card's name, for errors.
        deadline_s: A batch without an answer by then is given up, and all after it.

    Synchronization: one thread.
    """

    def __init__(self, card: str, path: str, deadline_s: float) -> None:
        self._card = card
        self._path = path
        self._deadline_s = deadline_s
        self._sock: socket.socket | None = None
        self._reader = Reader()
        self._next = _Batch()
        self._under_way: deque[_Batch] = deque()
        # What came of what was asked: told only when all that was read is here, for who is told may settle.
        self._untold: deque[Callable[[], None]] = deque()
        self._gathered = False
        self._timer = Timer()
        self._timer_due = 0.0
        self._epoll = select.epoll()
        self._epoll.register(self._timer.fileno(), select.EPOLLIN)

    def fileno(self) -> int:
        """Readable when `answers` has something to do."""
        return self._epoll.fileno()

    def close(self) -> None:
        """The connection is gone; what was asked has failed."""
        self._lose("the backend was closed")
        self._timer.close()
        self._epoll.close()

    def open(self, opening: Opening) -> None:
        """The timeslot is being opened: asked for at the end of this turn."""
        self._next.openings.append(opening)
        if len(self._next.openings) == DESCRIPTOR_LIMIT or not turn.depth:
            self.flush()
        elif not self._gathered:
            self._gathered = True
            turn.gathered.append(self)

    def prove(self, proof: Proof) -> None:
        """The timeslot is being proved free: asked for soon."""
        self._next.proofs.append(proof)
        if len(self._next.proofs) == _PROOFS:
            self.flush()
        else:
            self._arm(PROOF_DELAY_S)

    def flush(self) -> None:
        """What is wanted is on its way."""
        self._gathered = False
        batch, self._next = self._next, _Batch()
        if not batch.openings and not batch.proofs:
            return
        message = _CALL % (
            b",".join([one.request for one in batch.proofs]), b",".join([one.request for one in batch.openings])
        )  # fmt: skip
        batch.deadline = monotonic() + self._deadline_s
        # A kept connection may belong to a card that has been restarted since.
        again = self._sock is not None and not self._under_way
        self._under_way.append(batch)
        if not self._send(message) and not (again and self._send(message)):
            self._lose(f"no card answers on {self._path}")
            return
        self._arm(self._deadline_s)

    def answers(self) -> None:
        """Who asked knows what came of it, as far as the card has answered."""
        if self._sock is not None:
            self._read(self._sock)
        self._tell()
        if self._timer_due and monotonic() >= self._timer_due:
            self._on_timer()

    def _on_timer(self) -> None:
        self._timer.clear()
        self._timer_due = 0.0
        self.flush()
        if self._under_way:
            left = self._under_way[0].deadline - monotonic()
            if left <= 0:
                self._lose(f"no answer within {self._deadline_s:g} s")
            else:
                self._arm(left)

    def settle(self) -> None:
        """Everything asked until now is answered, or given up; waits for the card."""
        self.flush()
        last = self._under_way[-1] if self._under_way else None
        while last is not None and last in self._under_way:
            left = last.deadline - monotonic()
            if left <= 0 or self._sock is None:
                self._lose(f"no answer within {self._deadline_s:g} s")
            elif _readable(self._sock, left):
                self._read(self._sock)
        self._tell()

    def _tell(self) -> None:
        """Who asked knows what has come of it; one who asks for more meanwhile, or settles, delays nobody's answer."""
        while self._untold:
            try:
                self._untold.popleft()()
            except Exception:  # whose it is; the others' answers are still to be told
                log.exception("card %s: an answer could not be taken", self._card)

    def _send(self, message: bytes) -> bool:
        try:
            if self._sock is None:
                self._sock = connect(self._path, self._deadline_s)
                self._epoll.register(self._sock.fileno(), select.EPOLLIN)
            self._sock.sendall(message)
        except OSError:
            self._disconnect()
            return False
        return True

    def _read(self, sock: socket.socket) -> None:
        try:
            data, fds = receive(sock, _DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, ProtocolError) as error:
            self._lose(str(error))
            return
        if not data:
            self._lose("it closed the connection")
            return
        for message in self._reader.feed(data, fds):
            if self._sock is not sock:
                return
            self._answered(message)

    def _answered(self, message: bytes) -> None:
        fds: list[int] = []
        try:
            reply = parse_reply(message)
            fds = self._reader.take(reply.fds)
            if not self._under_way:
                raise ProtocolError("it answers what nobody asked")
            if reply.error is not None:
                raise ProtocolError(f"it refuses with {reply.error}")
            answer = _decode(reply.parameters)
            batch = self._under_way[0]
            if len(fds) != len(batch.openings) - len(answer.refused) or len(fds) != len(answer.depths):
                raise ProtocolError("its answer does not fit the question")
        except (msgspec.MsgspecError, ProtocolError) as error:
            close_all(fds)
            self._lose(f"what answers on {self._path} is no card: {error}")
            return
        self._under_way.popleft()
        untold = self._untold.append
        for opening, fd, depth in zip(_others(batch.openings, answer.refused), fds, answer.depths, strict=True):
            media = opening.media
            given = media if depth == media.depth else replace(media, depth=depth)
            untold(partial(opening.done, fd, given, None))
        for refused in answer.refused:
            one = batch.openings[refused.at]
            untold(partial(one.done, -1, None, refusal_of(refused, self._card, "OpenTimeslot", one.port)))
        for proof in _others(batch.proofs, answer.held):
            untold(partial(proof.done, None))
        for held in answer.held:
            unproved = batch.proofs[held.at]
            untold(partial(unproved.done, refusal_of(held, self._card, "ProveFree", unproved.port)))

    def _lose(self, why: str) -> None:
        """Whatever was asked has failed; the next that is asked connects anew."""
        self._disconnect()
        lost, self._under_way = [*self._under_way, self._next], deque()
        self._next = _Batch()
        untold = self._untold.append
        for batch in lost:
            for opening in batch.openings:
                untold(partial(opening.done, -1, None, self._gone("OpenTimeslot", opening.port, why)))
            for proof in batch.proofs:
                untold(partial(proof.done, self._gone("ProveFree", proof.port, why)))
        self._tell()

    def _gone(self, operation: str, port: str, why: str) -> DeviceGone:
        return DeviceGone(f"card {self._card}: {operation} of port {port}: {why}",
                          operation=operation, span=port, driver="sim")  # fmt: skip

    def _disconnect(self) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(self._sock.fileno())
            self._sock.close()
            self._sock = None
        self._reader.close()
        self._reader = Reader()

    def _arm(self, delay_s: float) -> None:
        """The timer is due by then; moving it costs a system call, so it may be due early."""
        due = monotonic() + delay_s
        if not self._timer_due or due < self._timer_due:
            self._timer_due = due
            self._timer.arm(delay_s)


def _readable(sock: socket.socket, within_s: float) -> bool:
    """Whether there is something to read; select() would not bear a descriptor above 1023."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def _others(all_: Sequence[_T], refused: Sequence[CardRefused]) -> Sequence[_T]:
    if not refused:
        return all_
    places = {one.at for one in refused}
    return [one for at, one in enumerate(all_) if at not in places]
