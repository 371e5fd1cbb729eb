# SPDX-License-Identifier: GPL-2.0-or-later
"""A span pulled out from under the whole service with calls up. In a boot of its own: the kernel bears it once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.boots.removal.test_removal import pull_out, put_back
from tests.service.conversation import converse
from tests.service.kernel import configuration
from tests.service.line_faults import cleared, raised
from tests.service.service import Core, Follower, running, until
from tests.service.talk import Talk


@pytest.mark.timeout(220)
def test_f11_a_span_pulled_out_takes_its_own_calls_and_no_others(tmp_path: Path) -> None:
    with (
        running(tmp_path, configuration()) as service,
        service.client() as client,
        Follower(service) as events,
        Core(service, ("e1-user", "t1-user")) as caller,
        Core(service, ("e1-network", "t1-network")) as callee,
    ):
        doomed = [converse(caller, callee, events, "e1-user") for _ in range(3)]
        bystander = converse(caller, callee, events, "t1-user")
        with Talk([bystander.fds]) as talk:
            talk.goes_on()
            pull_out("loc/1:0")
            for call in doomed:
                ended = events.wait("call.ended", call.placed)
                assert (ended.data["cause"], ended.data["cleared_by"]) == (27, "line")
                call.close()
            talk.goes_on()
            # What the kernel shows the peer of a span that was taken away: it is not received.
            deaf = raised(events, "e1-network", "transmit")
            assert deaf["words"] == ["YEL"]
            until("the span is absent", lambda: client.span("e1-user").state == "absent", service.log)
            assert client.span("t1-user").state == "ok"
            assert any(alarm.subject == "e1-user" for alarm in client.alarms())
            put_back("loc/1:0")
            until("the span is back by itself", lambda: client.span("e1-user").dchannel == "up", service.log)
            cleared(events, deaf)
            talk.goes_on()
        back = converse(caller, callee, events, "e1-user")
        with Talk([back.fds]) as talk:
            talk.goes_on()
        for call in (back, bystander):
            caller.client.hangup(call.placed)
            events.wait("call.ended", call.offered)
            call.close()
