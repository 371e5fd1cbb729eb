# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Alarms`: what is wrong, what was, who has seen it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dahdi_py.core.alarm_board import Standing
from dahdi_py.daemon import views
from dahdi_py.daemon.api.beside import answer_beside, answer_kept
from dahdi_py.daemon.checks import check_text, refuse_parameter
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.who import user_name
from dahdi_py.errors import NotFound
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import alarms
from dahdi_py.wire.server import Request

_NOTE = 200


class AlarmsApi:
    """Answers what asks for alarms.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._alarms = control.alarms

    def handlers(self) -> Mapping[str, Handler]:
        """By method name."""
        return {"List": self.list, "History": self.history, "Acknowledge": self.acknowledge, "Clear": self.clear}

    def list(self, request: Request, wants: Empty) -> None:
        """What is wrong: each root, the worst first, and under it what it explains."""
        standing = [views.alarm_record(one) for one in self._alarms.standing()]
        request.reply(alarms.AlarmList(alarms=standing, sequence=self._alarms.sequence))

    def history(self, request: Request, wants: alarms.HistoryRequest) -> None:
        """Alarms of the past, read beside the loop."""
        if not 1 <= wants.limit <= 1000:
            raise refuse_parameter("limit", f"{wants.limit}; expected 1-1000")
        if wants.span and wants.circuit:
            raise refuse_parameter("circuit", "name a span or a circuit, one of the two")
        archive = self._control.archive
        if archive is None:
            raise NotFound("no alarms are kept: service.journal is off", kind="record", name=wants.span)
        circuit = self._control.inventory.span(wants.span).config.circuit if wants.span else wants.circuit
        found = archive.alarms(wants.limit, circuit, wants.kind)
        answer_beside(self._control.loop, request, found, _past)

    def acknowledge(self, request: Request, wants: alarms.AcknowledgeRequest) -> None:
        """Somebody has seen it."""
        check_text("note", wants.note, _NOTE)
        seen = self._alarms.acknowledge(wants.id, user_name(request.peer.data.uid), wants.note, wants.on)
        answer_kept(self._control.journal, request, alarms.AcknowledgeReply(alarm=views.alarm_record(seen)))

    def clear(self, request: Request, wants: alarms.ClearRequest) -> None:
        """An alarm of something past is no more."""
        self._control.past_alarms.clear(wants.kind, wants.subject)
        self._alarms.seen_to(wants.kind, wants.subject, user_name(request.peer.data.uid))
        answer_kept(self._control.journal, request, Empty())


def _past(found: Sequence[Standing]) -> alarms.HistoryReply:
    return alarms.HistoryReply(alarms=[views.alarm_record(one) for one in found])
