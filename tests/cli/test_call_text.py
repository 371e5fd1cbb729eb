# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import click
import msgspec

from dahdi_py.cli.call_text import call_page, call_table, cause_words, record_page, record_table, stage
from dahdi_py.wire.messages.common import Cause, Owner, Party
from dahdi_py.wire.messages.events import Event
from tests.cli.samples import NOW_NS, call, record


def plain(text: str) -> str:
    return click.unstyle(text)


def event(kind: str, **data: object) -> Event:
    return Event(epoch=1, n=1, utc_ns=NOW_NS, kind=kind, span="e1-2", timeslot=5, call="c-0001", data=data)


def test_calls_stand_one_a_line() -> None:
    other = call(call="c-2", direction="incoming", phase="alerting", answered_ns=0, owner=Owner(pid=7, uid=0),
                 calling=Party(presentation="restricted"))  # fmt: skip
    orphan = call(call="c-3", orphaned=True)
    assert plain(call_table([call(), other, orphan], NOW_NS)).splitlines() == [
        "CALL    DIR  PHASE     SPAN:TS  FROM          TO         AGE  OWNER",
        "c-0001  out  active       1:31  1000          2001  00:01:01  pbx",
        "c-2     in   alerting     1:31  (restricted)  2001  00:01:10  pid 7",
        "c-3     out  active       1:31  1000          2001  00:01:01  nobody (orphaned)",
    ]


def test_no_calls_is_said() -> None:
    assert (call_table([], NOW_NS), record_table([])) == ("no calls", "no records")


def test_a_call_in_full() -> None:
    assert plain(call_page(call(correlation="ticket-7"), NOW_NS)).splitlines() == [
        "Call c-0001 is active: outgoing on span 1 (e1-1), timeslot 31.",
        "  From 1000 to 2001, speech.",
        "  Set up 00:01:10 ago, answered 00:01:01 ago.",
        "  Owner: pbx; attempt 1; audio agreed.",
        "  Correlation: ticket-7",
    ]


def test_records_stand_one_a_line() -> None:
    unanswered = record(call="c-2", answered_ns=0, duration_ns=0, cleared_by="peer",
                        cause=Cause(value=17, name="user busy", location="private_remote"))  # fmt: skip
    still_up = record(call="c-3", state="open", cause=None, cleared_by="", answered_ns=0)
    titles, *rows = plain(record_table([record(), unanswered, still_up])).splitlines()
    assert titles.split() == ["CALL", "STARTED", "DIR", "SPAN:TS", "FROM", "TO", "TALKED", "CAUSE", "CLEARED", "BY"]
    assert [row.split(maxsplit=8)[3:] for row in rows] == [
        ["out", "e1-1:31", "1000", "2001", "00:00:04", "16 normal call clearing  core"],
        ["out", "e1-1:31", "1000", "2001", "-", "17 user busy             peer"],
        ["out", "e1-1:31", "1000", "2001", "-", "open                     -"],
    ]


def test_a_record_in_full_has_every_message_with_its_place_in_time() -> None:
    lines = plain(record_page(record(reason="", correlation="ticket-7"))).splitlines()
    assert lines[0] == "Call c-0001 (closed): outgoing on span e1-1, timeslot 31, line host sim."
    assert lines[1] == "  From 1000 to 2001, speech; one attempt."
    assert lines[2].endswith(", lasted 00:00:04.")
    assert lines[3] == "  Cleared by this end: cause 16 normal call clearing (user)."
    assert lines[5] == "  Correlation: ticket-7"
    messages = [line.split(maxsplit=2)[1:] for line in lines[8:]]
    assert messages == [
        ["+0.000", "sent      SETUP"],
        ["+1.000", "received  CALL PROCEEDING"],
        ["+2.000", "received  ALERTING"],
        ["+3.000", "received  CONNECT"],
        ["+4.000", "sent      CONNECT ACKNOWLEDGE"],
        ["+5.000", "sent      DISCONNECT  cause 16"],
        ["+6.000", "received  RELEASE"],
        ["+7.000", "sent      RELEASE COMPLETE"],
    ]


def test_an_open_record_has_no_end() -> None:
    text = record_page(record(state="open", answered_ns=0, alerting_ns=0, cause=None, messages=[], attempts=2))
    assert "Cleared" not in text
    assert "2 attempts" in text
    assert text.endswith("none yet")


def test_a_cause_is_number_words_and_place() -> None:
    assert cause_words(Cause(value=34, name="no circuit/channel available", location="public_local")) == (
        "34 no circuit/channel available (public local)"
    )
    assert cause_words(None) == cause_words(Cause(value=0, name="")) == "no cause given"


def test_stages_are_told_once_and_in_words() -> None:
    told = [
        plain(stage(each))
        for each in (
            event("call.attempt", attempt=1), event("call.proceeding"), event("call.media"),
            event("call.alerting", in_band=True), event("call.attempt", attempt=2), event("call.moved"),
            msgspec.structs.replace(event("call.moved"), timeslot=0), event("call.answered"),
            event("call.hangup", cause=16),
        )
    ]  # fmt: skip
    assert told == [
        "", "proceeding", "", "ringing (tones or announcement in the channel)", "attempt 2 on span e1-2, timeslot 5",
        "channel is span e1-2, timeslot 5", "glare: the far end took the channel, and has yet to name another",
        "answered", "the far end hangs up",
    ]  # fmt: skip
