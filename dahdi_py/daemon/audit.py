# SPDX-License-Identifier: GPL-2.0-or-later
"""Who asked for what and what came of it: allocations, refusals, forced actions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from dahdi_py.daemon.auditlog import Noted
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.who import user_name
from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.interface import Interface, Method
from dahdi_py.wire.messages.daemon import AuditEntry
from dahdi_py.wire.server import Request

_ALIKE_S = 1.0
"""Refusals of one kind to one process within this are one entry, and one that counts the rest."""
_ALWAYS = frozenset({
    "Allocate", "AllocateSpan", "Place", "Claim", "Reclaim", "HandOver", "Administer", "Drain", "Stop", "Clear",
    "Acknowledge", "LiftHoldDown",
})  # fmt: skip
_TOKENS = ("token", "a", "b")
"""Fields of a request that show a lease's token: to use another user's is noted, whatever for."""
_SUBJECTS = ("token", "call", "group", "span", "host", "port", "a", "subject", "kind")
"""Fields of a request or reply that name what it is about, the most telling first."""


class Audit:
    """Notes what clients do, or nothing when it is off.

    Args:
        note: Puts an entry on its way to the disk.
        owner: The uid whose lease the token is of; None for no lease.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, note: Callable[[Noted], None], on: bool,
        owner: Callable[[str], int | None],
    ) -> None:  # fmt: skip
        self._owner = owner
        self._loop = loop
        self._note = note
        self._on = on
        self._alike: dict[tuple[int, str, str], list[AuditEntry]] = {}

    def watched(self, method: Method, handler: Handler) -> Handler:
        """The handler, whose outcome is noted; itself for methods that only look."""
        if not self._on or method.role == "view":
            return handler
        name = method.name

        def handle(request: Request, wants: Any) -> None:
            request.on_answer = partial(self._answered, request, name, wants, self._others(request.peer.data, wants))
            handler(request, wants)

        return handle

    def refused(self, client: Client, interface: Interface, method: Method, error: DahdiPyError) -> None:
        """The client has not the role that the method needs."""
        if self._on:
            noun = interface.name.rpartition(".")[2]
            self._put(client, _action(method.name), f"{noun}.{method.name}", error, "")

    def preempted(self, call: str, by: str, client: Client | None) -> None:
        """A call was cleared for another one."""
        if self._on:
            self._put(client, "preempt", call, None, f"for call {by}")

    def _others(self, client: Client, wants: Any) -> tuple[int, ...]:
        """Whose leases are meant that are not the client's own, while they are there to ask."""
        tokens = [token for name in _TOKENS if (token := getattr(wants, name, ""))]
        return tuple(uid for token in tokens if (uid := self._owner(token)) not in (None, client.uid))

    def _answered(
        self, request: Request, method: str, wants: Any, others: tuple[int, ...], reply: msgspec.Struct | None,
        error: DahdiPyError | None,
    ) -> None:  # fmt: skip
        forced = getattr(wants, "force", False) or getattr(wants, "preempt", False)
        if error is None and method not in _ALWAYS and not forced and not others:
            return
        subject = _subject(None if others else reply, wants)
        action = "force_hangup" if method == "Hangup" and forced else _action(method)
        said = [str(getattr(wants, name)) for name in ("state", "reason") if getattr(wants, name, "")]
        said += [f"lease of {user_name(uid)}" for uid in dict.fromkeys(others)]
        label = getattr(wants, "label", "")
        self._put(request.peer.data, action, subject, error, ": ".join(said), label)

    def _put(
        self, client: Client | None, action: str, subject: str, error: DahdiPyError | None, reason: str, label: str = ""
    ) -> None:
        entry = AuditEntry(
            utc_ns=time.time_ns(), pid=client.pid if client else 0, uid=client.uid if client else -1,
            label=label, action=action, subject=subject, outcome=error.code if error else "ok",
            reason=error.message if error else reason,
        )  # fmt: skip
        if error is None:
            self._note(Noted(entry))
            return
        key = (entry.pid, action, entry.outcome)
        alike = self._alike.get(key)
        if alike is not None:
            alike.append(entry)
            return
        self._alike[key] = []
        self._note(Noted(entry))
        self._loop.call_later(_ALIKE_S, self._count, key)

    def _count(self, key: tuple[int, str, str]) -> None:
        alike = self._alike.pop(key)
        if alike:
            last = alike[-1]
            more = f"{last.reason} ({len(alike)} more like it within {_ALIKE_S:g} s)" if len(alike) > 1 else last.reason
            self._note(Noted(msgspec.structs.replace(last, reason=more)))


def _action(method: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in method).strip("_")


def _subject(reply: msgspec.Struct | None, wants: Any) -> str:
    for one in (reply, wants):
        for name in _SUBJECTS:
            value = getattr(one, name, "")
            if value and isinstance(value, str):
                timeslot = getattr(one, "timeslot", 0) if name == "span" else 0
                return f"{value}:{timeslot}" if timeslot else value
    return ""
