# SPDX-License-Identifier: GPL-2.0-or-later
"""The asyncio client: calls and their records."""

from __future__ import annotations

from typing import Unpack

from dahdi_py.client.aio_asker import AsyncAsker
from dahdi_py.client.requests import PlaceOptions, place_request
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.calls import (
    Call,
    CallList,
    CallName,
    CallRecord,
    CallReply,
    ClaimReply,
    ClaimRequest,
    DeclineRequest,
    HangupRequest,
    HistoryReply,
    HistoryRequest,
    OverlapRequest,
    PlaceReply,
    ProgressRequest,
    StepRequest,
)
from dahdi_py.wire.messages.common import PartyRequest


class AsyncCalls(AsyncAsker):
    """Calls that this program places, claims and clears.

    Synchronization: external.
    """

    async def calls(self) -> list[Call]:
        """Calls now, oldest first."""
        return (await self._call("Calls.List", None, CallList)).calls

    async def call(self, call: str) -> Call:
        """One call, by its id."""
        return (await self._call("Calls.Get", CallName(call=call), CallReply)).call

    async def place(self, called: str | PartyRequest, **options: Unpack[PlaceOptions]) -> PlaceReply:
        """A call is on its way; what becomes of it is told by events (`PlaceOptions` has every argument)."""
        request = place_request(called, self.label, options)
        reply, fds = await self._lease("Calls.Place", request, PlaceReply)
        close_all(fds)
        self._tokens.began(reply.token, request.label, reply.call)
        return reply

    async def claim(self, call: str, label: str = "") -> ClaimReply:
        """The offered call is this client's; CALL PROCEEDING went out."""
        request = ClaimRequest(call=call, label=label or self.label)
        reply, fds = await self._lease("Calls.Claim", request, ClaimReply)
        close_all(fds)
        self._tokens.began(reply.token, request.label, call)
        return reply

    async def decline(self, call: str) -> None:
        """The offer goes to the next core."""
        await self._call("Calls.Decline", DeclineRequest(call=call), Empty)

    async def alert(self, call: str, *, in_band: bool = False, token: str = "") -> None:
        """ALERTING went out; `in_band` says that ringback is in the channel."""
        await self._call("Calls.Alert", StepRequest(call=call, in_band=in_band, token=token), Empty)

    async def progress(self, call: str, *, in_band: bool = True, cause: int = 0, token: str = "") -> None:
        """PROGRESS went out, with a cause where there is one to tell."""
        request = ProgressRequest(call=call, in_band=in_band, cause=cause, token=token)
        await self._call("Calls.Progress", request, Empty)

    async def answer(self, call: str, *, token: str = "") -> None:
        """CONNECT went out."""
        await self._call("Calls.Answer", StepRequest(call=call, token=token), Empty)

    async def hangup(self, call: str, *, cause: int = 16, token: str = "", force: bool = False) -> None:
        """The call is being cleared, or was refused, with a Q.850 cause; `force` is an operator's."""
        request = HangupRequest(call=call, cause=cause, token=token, force=force)
        await self._call("Calls.Hangup", request, Empty)
        self._tokens.call_ended(call)

    async def send_overlap(self, call: str, digits: str, *, token: str = "") -> None:
        """More digits of the called number went out."""
        await self._call("Calls.SendOverlap", OverlapRequest(call=call, digits=digits, token=token), Empty)

    async def send_keypad(self, call: str, digits: str, *, token: str = "") -> None:
        """Keypad digits went out."""
        await self._call("Calls.SendKeypad", OverlapRequest(call=call, digits=digits, token=token), Empty)

    async def history(
        self, *, limit: int = 20, call: str = "", span: str = "", number: str = "", circuit: str = ""
    ) -> list[CallRecord]:
        """Records of calls, newest first."""
        request = HistoryRequest(limit=limit, call=call, span=span, number=number, circuit=circuit)
        return (await self._call("Calls.History", request, HistoryReply)).records
