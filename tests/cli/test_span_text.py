# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import click
import pytest

from dahdi_py.cli.span_text import channel_map, hold_sentence, span_page, span_table
from dahdi_py.cli.times import NS
from dahdi_py.wire.messages.alarms import Alarm
from tests.cli.samples import HOUR_NS, NOW_NS, span


def lines_of(text: str) -> list[str]:
    return click.unstyle(text).splitlines()


def test_a_table_of_spans_reads_as_operators_expect() -> None:
    spans = [
        span(1, name="TE4/0/1", type="T1", framing="esf", coding="b8zs", crc4=None, timing=1, sync_source=1, used=17,
             usable=23, total=23, since_ns=NOW_NS - 292 * HOUR_NS),
        span(2, name="TE4/0/2", type="T1", framing="esf", coding="b8zs", crc4=None, timing=2, state="alarm",
             words=["YEL"], dchannel="down", usable=0, total=23),
        span(3, name="TE4/0/3", state="alarm", words=["RED", "LOS"], dchannel="down", usable=0),
    ]  # fmt: skip
    assert lines_of(span_table(spans, NOW_NS)) == [
        "SPAN NAME    TYPE FRAMING/CODE  CLOCK  ALARMS  L2   CH use/ok/tot    SINCE",
        "   1 TE4/0/1 T1   ESF/B8ZS      line1* OK      up        17/23/23   12d04h",
        "   2 TE4/0/2 T1   ESF/B8ZS      line2  YEL     down        0/0/23 00:03:11",
        "   3 TE4/0/3 E1   CCS/HDB3/CRC4 int    RED/LOS down        0/0/30 00:03:11",
        "* sync master   2 spans in alarm: 53 of 76 channels out",
    ]


def test_a_table_of_good_spans_says_so() -> None:
    assert lines_of(span_table([span(1, used=2), span(2)], NOW_NS))[-1] == "2 spans up: 2 of 60 channels in use"


def test_each_reason_for_being_out_is_counted() -> None:
    spans = [span(1, state="host_down", usable=0), span(2, state="dchannel_down", dchannel="down", usable=0), span(3)]
    lines = lines_of(span_table(spans, NOW_NS))
    assert lines[-1] == "? not known   1 span without its line host, 1 span without D-channel: 60 of 90 channels out"
    assert lines[1].split()[5:7] == ["?", "?"], "nobody knows the alarms of a span whose host is down"


def test_what_the_driver_does_not_keep_is_not_invented() -> None:
    line = lines_of(span_table([span(1, framing=None, coding=None, crc4=None, timing=None)], NOW_NS))[1]
    assert line.split()[3:5] == ["?/?", "?"]


def test_no_spans_at_all_is_said() -> None:
    assert lines_of(span_table([], NOW_NS))[-1] == "no span is configured"


def test_a_page_tells_line_dchannel_channels_and_map() -> None:
    text = "\n".join(lines_of(span_page(span(2, node="network"), [], NOW_NS)))
    assert text.startswith("Span 2 (e1-2) is up.\n  No alarms detected. No change for 00:03:11.\n")
    assert "Framing is CCS with CRC4, line code is HDB3, clock source is internal." in text
    assert "D-channel on timeslot 16: up for 00:01:00; EuroISDN, network side, alaw." in text
    assert "Channels: 0 in use, 30 usable, 30 in all; groups: e1-2." in text
    assert "Driver sim keeps no error counters." in text
    assert "Check next" not in text


def test_a_span_that_is_held_down_is_named_below_the_table() -> None:
    held = span(2, name="te4-2", held_until_ns=NOW_NS + 40 * NS, returns=4)
    sentence = "span 2 (te4-2) came and went 4 times: last choice for outgoing calls for 00:00:40 (spans up --now)"
    assert lines_of(span_table([span(1), held], NOW_NS))[-1] == sentence
    assert hold_sentence(held, NOW_NS) == sentence
    over = span(2, name="te4-2", held_until_ns=NOW_NS - NS, returns=4)
    assert "came and went" not in span_table([over], NOW_NS)
    assert hold_sentence(over, NOW_NS) == "span 2 (te4-2) is not held down"


def test_a_page_of_a_span_in_alarm_says_what_to_check_next() -> None:
    raised = [
        Alarm(kind="span", subject=name, words=["RED"], severity="critical", text=f"{name}: check the cable",
              since_ns=NOW_NS)
        for name in ("e1-1", "e1-2")
    ]  # fmt: skip
    text = "\n".join(lines_of(span_page(span(1, state="alarm", words=["RED", "LOS"]), raised, NOW_NS)))
    assert "Alarms: RED/LOS." in text
    assert "Check next: e1-1: check the cable" in text
    assert "e1-2: check" not in text


def test_counters_are_shown_when_there_are_any() -> None:
    text = span_page(span(1, counters={"crc": 3, "bpv": None, "slips": 0}), [], NOW_NS)
    assert "Since an unknown start: 3 crc, 0 slips." in text


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (
            "i.o" + "." * 20 + "D",
            ["  Channel map", "     1  i.o.............  16", "    17  .......D          24",
             "        i call in   . idle   o call out   D D-channel"],
        ),
        (
            "." * 15 + "D" + "x" * 15,
            ["  Channel map", "     1  ...............D  16", "    17  xxxxxxxxxxxxxxx   31",
             "        . idle   D D-channel   x out of service"],
        ),
    ],
)  # fmt: skip
def test_a_channel_map_has_numbers_and_a_legend(signs: str, expected: list[str]) -> None:
    assert channel_map(span(1, channel_map=signs)) == expected


def test_an_unknown_sign_and_state_stay_printable() -> None:
    text = span_page(span(1, channel_map="Z", state="new_state", words=["NEW"], dchannel="odd"), [], NOW_NS)
    assert "is new_state." in text
    assert "Z not known" in text
