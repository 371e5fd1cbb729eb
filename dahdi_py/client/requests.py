# SPDX-License-Identifier: GPL-2.0-or-later
"""What both clients make of their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import msgspec

from dahdi_py.wire.messages.calls import HangupRequest, PlaceReply, PlaceRequest
from dahdi_py.wire.messages.channels import AllocateSpanReply, ReleaseRequest
from dahdi_py.wire.messages.common import BearerRequest, Cursor, CursorRequest, PartyRequest


class PlaceOptions(TypedDict, total=False):
    """Everything about a call to be placed but the called number; one of group, span and token says where.

    Keys:
        group, span: Where to hunt; a span by name or number.
        token: A lease to place the call on, exclusively.
        calling, redirecting: A number, or a party with everything about it.
        bearer: What the call carries; speech when left out.
        sending_complete: The called number is whole.
        exclusive: No other channel will do.
        user_user, keypad: Information elements, as text.
        correlation: The core's own id, kept in the record; at most 128 characters.
        label: Who places it, in lists and logs; the client's when left out.
        answer_timeout_s: Cleared with cause 19 when not answered by then, s; 0 for 180 s.
        detach_s: The call outlives this connection and is hung up after so many seconds.
        exclude: With a group: not on these spans (such as the one a call came in by).
        preempt: When nothing is free, a call that is no emergency is cleared for it (an operator's).
    """

    group: str
    span: str
    token: str
    calling: str | PartyRequest
    redirecting: str | PartyRequest
    bearer: BearerRequest
    sending_complete: bool
    exclusive: bool
    user_user: str
    keypad: str
    correlation: str
    label: str
    answer_timeout_s: int
    detach_s: int
    exclude: Sequence[str]
    preempt: bool


def party(who: str | PartyRequest) -> PartyRequest:
    """The party; a plain number is of unknown type in the ISDN plan, its presentation allowed."""
    return PartyRequest(number=who) if isinstance(who, str) else who


def place_request(called: str | PartyRequest, label: str, options: PlaceOptions) -> PlaceRequest:
    """The request to place a call."""
    return PlaceRequest(
        called=party(called),
        group=options.get("group", ""),
        span=options.get("span", ""),
        token=options.get("token", ""),
        calling=party(options["calling"]) if "calling" in options else None,
        redirecting=party(options["redirecting"]) if "redirecting" in options else None,
        bearer=options.get("bearer"),
        sending_complete=options.get("sending_complete", True),
        exclusive=options.get("exclusive", False),
        user_user=options.get("user_user", ""),
        keypad=options.get("keypad", ""),
        correlation=options.get("correlation", ""),
        label=options.get("label", label),
        answer_timeout_s=options.get("answer_timeout_s", 0),
        detach_s=options.get("detach_s", 0),
        exclude=list(options.get("exclude", ())),
        preempt=options.get("preempt", False),
    )


def cursor_request(cursor: Cursor | None) -> CursorRequest | None:
    """The cursor as a request carries it."""
    return None if cursor is None else CursorRequest(epoch=cursor.epoch, n=cursor.n)


def give_back(reply: Any) -> list[tuple[str, msgspec.Struct]]:
    """What to ask, method and parameters, so that nothing is left of a call or leases whose asker has given up."""
    if isinstance(reply, PlaceReply):
        # By its id: a call that waits for a channel has no token yet.
        return [("Calls.Hangup", HangupRequest(call=reply.call, token=reply.token))]
    tokens = [one.token for one in reply.leases] if isinstance(reply, AllocateSpanReply) else [reply.token]
    return [("Channels.Release", ReleaseRequest(token=token)) for token in tokens]
