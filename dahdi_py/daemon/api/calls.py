# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Calls`: the steps of a call, its clearing, and the records."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from dahdi_py.core.access import OPERATE
from dahdi_py.core.terms import Phase
from dahdi_py.daemon import ledger, older, views
from dahdi_py.daemon.api.beside import answer_beside
from dahdi_py.daemon.api.placing import Placing
from dahdi_py.daemon.checks import check_cause, check_digits, refuse_parameter
from dahdi_py.daemon.circuits import Call
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control, spared
from dahdi_py.errors import DahdiPyError, NotFound, NotOwner, RoleMissing, WrongCallState
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import calls as wire
from dahdi_py.wire.messages import host
from dahdi_py.wire.messages.common import dialled
from dahdi_py.wire.server import Request

_DONE = Empty()


class CallsApi:
    """Answers `org.dahdipy.Calls`.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, placing: Placing) -> None:
        self._control = control
        self._inventory = control.inventory
        self._placing = placing

    def handlers(self) -> Mapping[str, Handler]:
        """By method name."""
        return {
            "List": self.list,
            "Get": self.get,
            "Place": self._placing.place,
            "Serve": self.serve,
            "Claim": self._placing.claim,
            "Decline": self.decline,
            "Alert": self.alert,
            "Progress": self.progress,
            "Answer": self.answer,
            "Hangup": self.hangup,
            "SendOverlap": lambda request, wants: self._send(request, wants, "SendOverlap", "overlap"),
            "SendKeypad": lambda request, wants: self._send(request, wants, "SendKeypad", "keypad"),
            "History": self.history,
        }

    def list(self, request: Request, wants: Empty) -> None:
        """Calls now."""
        request.reply(wire.CallList(calls=views.calls(self._inventory)))

    def get(self, request: Request, wants: wire.CallName) -> None:
        """One call."""
        request.reply(wire.CallReply(call=views.call(self._inventory, self._inventory.call(wants.call))))

    def serve(self, request: Request, wants: wire.ServeRequest) -> None:
        """The connection takes calls."""
        self._control.serving.serve(request.peer.data, request, wants)

    def decline(self, request: Request, wants: wire.DeclineRequest) -> None:
        """The offer goes to the next core."""
        self._inventory.call(wants.call)
        self._control.serving.decline(wants.call, request.peer.data)
        request.reply(_DONE)

    def alert(self, request: Request, wants: wire.StepRequest) -> None:
        """ALERTING goes out."""
        call = self._owned(request, wants.call, wants.token, "Alert")
        self._do(request, call, "Alert", host.CallRequest(call=call.call, in_band=wants.in_band))

    def progress(self, request: Request, wants: wire.ProgressRequest) -> None:
        """PROGRESS goes out."""
        if wants.cause:
            check_cause(wants.cause)
        call = self._owned(request, wants.call, wants.token, "Progress")
        asked = host.CallRequest(call=call.call, in_band=wants.in_band, cause=wants.cause)
        self._do(request, call, "Progress", asked)

    def answer(self, request: Request, wants: wire.StepRequest) -> None:
        """CONNECT goes out."""
        call = self._owned(request, wants.call, wants.token, "Answer")
        self._do(request, call, "Answer", host.CallRequest(call=call.call, in_band=wants.in_band))

    def hangup(self, request: Request, wants: wire.HangupRequest) -> None:
        """The call is cleared; an offer is refused by whoever has it now."""
        check_cause(wants.cause)
        client: Client = request.peer.data
        call = self._inventory.call(wants.call)
        if wants.force and OPERATE not in client.roles:
            raise RoleMissing(
                "clearing another's call needs the role operate: name the user in access.operate of the configuration",
                role=OPERATE, setting="access.operate",
            )  # fmt: skip
        refused = call.phase == "offered" and not call.claimed and self._control.serving.holds(call.call, client)
        ours = refused or self._owns(client, call, wants.token)
        if not (ours or wants.force):
            raise _not_owner(
                call, "Hangup", "; an offer is refused by a core that has it now; an operator may with force"
            )
        own = refused or (ours and client.uid == call.owner.uid)
        if call.emergency and not own:
            raise spared(call, "Hangup")
        by = "core" if own else "operator"
        asked = host.HangupRequest(call=call.call, cause=wants.cause, cleared_by=by)
        # Between two hosts the one that is asked may never have had it: it ends all the same.
        between = self._placing.hunting.stop(call.call, asked)

        def clearing() -> None:
            if self._inventory.calls.get(call.call) is call:
                self._inventory.phase(call, Phase.RELEASING)
                self._control.serving.ended(call.call, "refused")

        self._do(request, call, "Hangup", asked, clearing, gone_will_do=between)

    def _send(self, request: Request, wants: wire.OverlapRequest, operation: str, how: str) -> None:
        check_digits(wants.digits)
        call = self._owned(request, wants.call, wants.token, operation)
        dials = how == "overlap" and call.direction == "outgoing"
        called = dialled(call.called, wants.digits) if dials else call.called
        emergency = dials and not call.emergency and self._placing.is_emergency(called.number)
        asked = host.DigitsRequest(call=call.call, digits=wants.digits, how=how, emergency=emergency)
        self._do(request, call, "SendDigits", older.understood(self._control.hosts[call.host].link, asked))
        # Now, not when it is answered: the next digits may be on their way behind these.
        call.called = called
        if emergency:
            call.emergency = True
            self._control.feed.note(ledger.Dialled(call.call, time.time_ns(), called), None)

    def history(self, request: Request, wants: wire.HistoryRequest) -> None:
        """Records, read beside the loop."""
        if not 1 <= wants.limit <= 1000:
            raise refuse_parameter("limit", f"{wants.limit}; expected 1-1000")
        archive = self._control.archive
        if archive is None:
            raise NotFound("no records are kept: service.journal is off", kind="record", name=wants.call)
        if wants.span and wants.circuit:
            raise refuse_parameter("circuit", "name a span or a circuit, one of the two")
        if wants.span:
            wants = msgspec.structs.replace(wants, circuit=self._inventory.span(wants.span).config.circuit)
        found = archive.history(wants)
        answer_beside(self._control.loop, request, found, lambda records: wire.HistoryReply(records=records))

    def _owned(self, request: Request, call_id: str, token: str, operation: str) -> Call:
        call = self._inventory.call(call_id)
        if call.direction == "incoming" and not call.claimed:
            raise WrongCallState(
                f"call {call_id} is only offered: claim it before {operation}",
                call=call_id, state="offered", operation=operation,
            )  # fmt: skip
        if not self._owns(request.peer.data, call, token):
            raise _not_owner(call, operation)
        return call

    def _owns(self, client: Client, call: Call, token: str) -> bool:
        return call.client is client or bool(token and token == call.token and client.may_use(call.owner))

    def _do(
        self, request: Request, call: Call, method: str, asked: msgspec.Struct, then: Callable[[], None] | None = None,
        gone_will_do: bool = False,
    ) -> None:  # fmt: skip
        link = self._control.require(self._control.hosts[call.host].link)

        def done(reply: Empty | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if error is not None and not (gone_will_do and isinstance(error, NotFound)):
                request.fail(error)
                return
            if then is not None:
                then()
            request.reply(_DONE)

        link.call(f"org.dahdipy.Host.{method}", asked, Empty, request.guard(done))


def _not_owner(call: Call, operation: str, also: str = "") -> NotOwner:
    owner = call.owner.label or (f"process {call.owner.pid}" if call.owner.pid else "nobody yet")
    return NotOwner(
        f"{operation} is for the connection that placed or claimed call {call.call} ({owner}); another one shows its"
        f" token{also}"
    )
