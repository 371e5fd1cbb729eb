# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans as text: the table of all of them, the paragraph about one, its channel map."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dahdi_py.cli.output import Column, table
from dahdi_py.cli.performance_text import MIB, paragraph, quarter_cells
from dahdi_py.cli.times import age
from dahdi_py.wire.messages.alarms import Alarm
from dahdi_py.wire.messages.performance import SpanPerformance
from dahdi_py.wire.messages.spans import Span

_COLUMNS = (
    Column("SPAN", right=True), Column("NAME"), Column("TYPE"), Column("FRAMING/CODE"), Column("CLOCK"),
    Column("ALARMS"), Column("L2"), Column("CH use/ok/tot", right=True),
)  # fmt: skip
_QUARTER = (
    Column("15m ES", right=True), Column("SES", right=True), Column("UAS", right=True), Column("SLIP", right=True),
)  # fmt: skip
_SINCE = Column("SINCE", right=True)
_WIDTH = 100

_COLOURS = {"OK": "green", "RED": "red", "ABSENT": "red", "LOS": "red", "LFA": "red", "LMFA": "red"} | {
    "YEL": "yellow", "BLU": "blue", "LB": "cyan", "REC": "cyan", "NOP": "cyan", "?": "magenta",
}  # fmt: skip

_LEGEND = {
    "D": "D-channel", ".": "idle", "a": "allocated", "i": "call in", "o": "call out", "r": "releasing",
    "q": "quarantined", "m": "locked", "x": "out of service", "-": "not used",
}  # fmt: skip

_STATES = {
    "ok": "up",
    "alarm": "down: in alarm",
    "dchannel_down": "down: its D-channel is down",
    "absent": "absent: the card does not show it",
    "host_down": "unknown: its line host is down",
}

_SWITCH_TYPES = {
    "national": "National ISDN 2", "ni1": "National ISDN 1", "dms100": "DMS-100", "att4ess": "AT&T 4ESS",
    "lucent5e": "Lucent 5E", "euroisdn": "EuroISDN", "qsig": "QSIG",
}  # fmt: skip

# A map line no longer than one E1 half fits beside its timeslot numbers.
_MAP_WIDTH = 16


def span_table(spans: Sequence[Span], now_ns: int, performance: Sequence[SpanPerformance] = ()) -> str:
    """One line a span under titles, and a footer with what is out.

    Args:
        now_ns: UTC, ns.
        performance: The quarter hour's figures are shown where there is room for them.
    """
    by_name = {one.span: one for one in performance}
    held = "".join(f"\n{hold_sentence(span, now_ns)}" for span in spans if span.held_until_ns > now_ns)
    ages = [age(span.since_ns, now_ns) for span in spans]
    rows = [
        [*_row(span), *quarter_cells(by_name.get(span.name)), since] for span, since in zip(spans, ages, strict=True)
    ]
    text = table((*_COLUMNS, *_QUARTER, _SINCE), rows, gap=1)
    if by_name and all(len(click.unstyle(line)) <= _WIDTH for line in text.splitlines()):
        return f"{text}\n{_footer(spans)}{_marks(text)}{held}"
    rows = [[*_row(span), since] for span, since in zip(spans, ages, strict=True)]
    return f"{table((*_COLUMNS, _SINCE), rows, gap=1)}\n{_footer(spans)}{held}"


def hold_sentence(span: Span, now_ns: int) -> str:
    """Whether the span is among the first choices for outgoing calls.

    Args:
        now_ns: UTC, ns.
    """
    name = f"span {span.number} ({span.name})"
    if span.held_until_ns <= now_ns:
        return f"{name} is not held down"
    left = age(now_ns, span.held_until_ns)
    return f"{name} came and went {span.returns} times: last choice for outgoing calls for {left} (spans up --now)"


def _marks(text: str) -> str:
    """What the figures are by, and their marks."""
    marks = "".join(words for sign, words in (("!", "   ! threshold crossed"), ("~", "   ~ estimated")) if sign in text)
    return f"\n15m: this quarter hour, near end by {MIB}{marks}"


def _row(span: Span) -> list[str]:
    return [
        str(span.number),
        span.name,
        span.type,
        line_code(span),
        _clock(span),
        alarm_words(span),
        layer2(span),
        f"{span.used}/{span.usable}/{span.total}",
    ]


def line_code(span: Span) -> str:
    """Framing, coding and CRC4 in one word, such as ``CCS/HDB3/CRC4``; ``?`` for what the driver does not say."""
    words = [(span.framing or "?").upper(), (span.coding or "?").upper()]
    return "/".join([*words, "CRC4"] if span.crc4 else words)


def _clock(span: Span) -> str:
    if span.timing is None:
        return "?"
    star = "*" if _is_master(span) else ""
    return (f"line{span.timing}" if span.timing else "int") + star


def _is_master(span: Span) -> bool:
    return span.sync_name == span.name if span.sync_name else span.sync_source == span.number


def alarm_words(span: Span) -> str:
    """The alarm tokens joined by ``/``, ``OK`` without any, ``?`` while nobody reads the line."""
    words = ["?"] if span.state == "host_down" else span.words or ["OK"]
    return "/".join(click.style(word, fg=_COLOURS.get(word)) for word in words)


def layer2(span: Span) -> str:
    """The D-channel's state; ``-`` on a span that has none."""
    if span.dchannel == "none":
        return "-"
    if span.state == "host_down":
        return click.style("?", fg="magenta")
    return click.style(span.dchannel, fg="green" if span.dchannel == "up" else "red")


def _footer(spans: Sequence[Span]) -> str:
    if not spans:
        return "no span is configured"
    total, usable, used = (sum(getattr(span, key) for span in spans) for key in ("total", "usable", "used"))
    out = [span for span in spans if span.state != "ok"]
    parts = ["* sync master"] if any(_is_master(span) for span in spans) else []
    parts += ["? not known"] if any(span.state == "host_down" or span.timing is None for span in spans) else []
    if out:
        kinds = [_count(len([s for s in out if s.state == state]), words) for state, words in _OUT if _any(out, state)]
        parts.append(click.style(f"{', '.join(kinds)}: {total - usable} of {total} channels out", fg="red"))
    else:
        parts.append(f"{_count(len(spans), 'span')} up: {used} of {total} channels in use")
    return "   ".join(parts)


_OUT = (
    ("absent", "span absent"),
    ("host_down", "span without its line host"),
    ("alarm", "span in alarm"),
    ("dchannel_down", "span without D-channel"),
)


def _any(spans: Sequence[Span], state: str) -> bool:
    return any(span.state == state for span in spans)


def _count(number: int, words: str) -> str:
    return f"{number} {words}" if number == 1 else f"{number} {words.replace('span', 'spans', 1)}"


def span_page(span: Span, alarms: Sequence[Alarm], now_ns: int, performance: SpanPerformance | None = None) -> str:
    """All about one span: state, line, D-channel, counters, figures, channel map, and what to check next.

    Args:
        alarms: What is wrong now; only this span's are shown.
        now_ns: UTC, ns.
    """
    lines = [
        f"Span {span.number} ({span.name}) is {_STATES.get(span.state, span.state)}.",
        f"  {_alarm_sentence(span)} No change for {age(span.since_ns, now_ns)}.",
        f"  Framing is {(span.framing or 'not known').upper()}{_crc(span)}, line code is {_said(span.coding)}, "
        f"clock source is {_clock_words(span)}.",
        f"  {span.type} on port {span.port} of card {span.card} (driver {span.driver}), line host {span.host}.",
        f"  {_dchannel_sentence(span, now_ns)}",
        f"  Channels: {span.used} in use, {span.usable} usable, {span.total} in all; "
        f"groups: {', '.join(span.groups) or 'none'}.",
        f"  {_counters(span)}",
        "",
        *([*paragraph(performance), ""] if performance is not None else []),
        *channel_map(span),
    ]
    checks = [alarm.text for alarm in alarms if alarm.subject == span.name]
    return "\n".join([*lines, *(f"\n  Check next: {text}" for text in checks)])


def _alarm_sentence(span: Span) -> str:
    if span.state == "host_down":
        return "Alarms are not known."
    if not span.words:
        return "No alarms detected."
    return f"Alarms: {alarm_words(span)}."


def _crc(span: Span) -> str:
    return " with CRC4" if span.crc4 else ""


def _said(word: str | None) -> str:
    return word.upper() if word else "not known"


def _clock_words(span: Span) -> str:
    if span.timing is None:
        return "not known"
    words = f"line (priority {span.timing})" if span.timing else "internal"
    return words + (", sync master" if _is_master(span) else "")


def _dchannel_sentence(span: Span, now_ns: int) -> str:
    if span.dchannel == "none":
        return "It has no D-channel."
    known = f"{layer2(span)} for {age(span.dchannel_since_ns, now_ns)}"
    switch_type = _SWITCH_TYPES.get(span.switch_type, span.switch_type)
    side = {"network": "network side", "cpe": "user side"}.get(span.node, span.node)
    return f"D-channel on timeslot {span.dchannel_timeslot}: {known}; {switch_type}, {side}, {span.law}."


def _counters(span: Span) -> str:
    known = {name: count for name, count in span.counters.items() if count is not None}
    if not known:
        return f"Driver {span.driver} keeps no error counters." if span.counters else "No error counters are known."
    return "Since an unknown start: " + ", ".join(f"{count} {name}" for name, count in known.items()) + "."


def channel_map(span: Span) -> list[str]:
    """The map in lines of sixteen timeslots, with the meaning of each sign that occurs."""
    signs = span.channel_map
    lines = ["  Channel map"]
    for start in range(0, len(signs), _MAP_WIDTH):
        part = signs[start : start + _MAP_WIDTH]
        lines.append(f"  {start + 1:4d}  {part:<{_MAP_WIDTH}}  {start + len(part)}")
    legend = [f"{sign} {_LEGEND.get(sign, 'not known')}" for sign in dict.fromkeys(signs)]
    return [*lines, "        " + "   ".join(legend)]
