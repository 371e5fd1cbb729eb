# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong, in sentences for a person at three in the morning: what it means, why probably, what to check next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from dahdi_py.core.alarm import CRITICAL, MAJOR, MINOR, SEVERITIES, WARNING, Capacity, Condition, severity_of
from dahdi_py.core.config import Span
from dahdi_py.core.line_alarms import Failure
from dahdi_py.core.slips import Slipped
from dahdi_py.core.terms import Alarms


class _Text(NamedTuple):
    """What one bit means; `{call}` is whom to call."""

    bit: Alarms
    severity: str
    what: str
    cause: str
    check: str


_SPAN_TEXTS = (
    _Text(Alarms.ABSENT, CRITICAL, "is not there",
          "the card is out, its module not loaded, or the span not assigned",
          "check that the card is seated, its module loaded, the span assigned"),
    _Text(Alarms.LOS, CRITICAL, "receives no signal",
          "the cable is out or broken, or the far end has no power",
          "check the cable and the far end's power, then {call}"),
    _Text(Alarms.LFA, CRITICAL, "receives a signal without framing",
          "both ends differ in framing or line type, or the line has very many bit errors",
          "check framing and line type at both ends, then {call}"),
    _Text(Alarms.LMFA, MINOR, "has frames but no multiframe, so that calls pass and errors are not counted",
          "CRC-4 is on at one end only",
          "check CRC-4 at both ends"),
    _Text(Alarms.BLUE, CRITICAL, "receives all ones (AIS)",
          "equipment upstream has failed",
          "{call}"),
    _Text(Alarms.RED, CRITICAL, "has lost its receive signal or framing",
          "the cable is out, or both ends differ in framing or coding",
          "check the cable, then framing and coding, then {call}"),
    _Text(Alarms.YELLOW, MAJOR, "is not received by the far end (RAI)",
          "our transmit pair, or the far end's receiver or settings",
          "check our transmit pair, then its settings, then {call}"),
    _Text(Alarms.LOOPBACK, MINOR, "is in loopback and carries no calls",
          "a test has been left on, here or by the far end",
          "end the loop when the test is over"),
    _Text(Alarms.NOTOPEN, WARNING, "is configured but not started",
          "its line host has not started it yet, or somebody shut it down",
          "look into the line host's log"),
    _Text(Alarms.RECOVER, WARNING, "is recovering from an alarm",
          "the driver waits whether the line stays good",
          "nothing, unless it goes on"),
)  # fmt: skip


_STARTED_AGAIN = "the service starts it again"


def title(span: Span) -> str:
    """The span as it is spoken of."""
    return f"Span {span.number} ({span.name})"


def whom_to_call(span: Span) -> str:
    """The carrier with all that they will ask for, as far as it is configured."""
    words = f"call the carrier {span.carrier}".rstrip()
    words += f" at {span.noc_phone}" if span.noc_phone else ""
    return words + (f", circuit {span.circuit_id}" if span.circuit_id else "")


def of_span(
    span: Span, failure: Failure, clear_s: float, since_ns: int, groups: Iterable[Capacity] = (), problem: str = ""
) -> Condition:
    """What a failure of a span's line means. The most telling bit speaks, the worst one ranks, the capacity decides.

    Args:
        clear_s: The alarm ends when the line has been good for so long.
        groups: What the span's trunk groups have left.
        problem: Why it could not be brought up.
    """
    bits = failure.integrated
    known = [text for text in _SPAN_TEXTS if text.bit in bits]
    spoken = known[0] if known else _Text(
        Alarms.NONE, MINOR, f"reports alarm bits {int(bits):#x} that this version does not know",
        "a driver newer than this version", "look up the driver's alarms",
    )  # fmt: skip
    if problem and spoken.bit is Alarms.ABSENT:
        spoken = spoken._replace(cause=problem, what=f"is not there ({problem})")
    check = spoken.check.format(call=whom_to_call(span))
    severity = min((text.severity for text in known or (spoken,)), key=SEVERITIES.index)
    condition = Condition(
        kind="span", subject=span.name, aspect=failure.aspect, words=tuple(bits.words()) or (f"{int(bits):#x}",),
        severity=severity, text=f"{title(span)} {spoken.what}: {check}.", since_ns=since_ns, cause=spoken.cause,
        next_check=check, span=span.name, card=span.card, host=span.host, circuit=span.circuit,
        raw=tuple(failure.raw.words()), driver=tuple(failure.driver.words()), integrated=tuple(bits.words()),
        bits=int(bits), disables=failure.driver.out_of_service,
    )  # fmt: skip
    if condition.disables:
        return affecting(condition, groups)
    if failure.driver or bits is Alarms.RECOVER:
        return condition
    good = f"{title(span)} is good again: the alarm ends when it stays so for {clear_s:g} s."
    return replace(condition, severity=WARNING, text=good, next_check="nothing, unless it comes back")


def affecting(condition: Condition, groups: Iterable[Capacity]) -> Condition:
    """The condition ranked by what the trunk groups concerned have left, and saying so."""
    left = sorted(groups, key=lambda one: (SEVERITIES.index(one.severity), one.usable))
    return replace(
        condition, severity=severity_of(left, condition.severity), impact="; ".join(map(str, left)), disables=True
    )


def of_dchannel(span: Span, since_ns: int, groups: Iterable[Capacity] = (), echo: bool = False) -> Condition:
    """A D-channel that is down.

    Args:
        echo: What it hears is what it would say itself.
    """
    cause = "the far end is not started, or both ends differ in role, timeslot or protocol"
    check = (
        "check that the far end is started, that one end is network and the other cpe, and that both agree on the "
        "timeslot"
    )
    if echo:
        # On the link the two look the same: each hears the command that only its own side sends. Source: Q.921 3.3.2.
        cause = f"it hears itself: the line is looped at the far end or on the way, or both ends are {span.node}"
        check = f"ask whether a loop is on ({whom_to_call(span)}), then check that the far end is not {span.node} too"
    text = f"{title(span)}: the D-channel on timeslot {span.dchannel_timeslot} is down: {check}."
    condition = Condition(
        kind="dchannel", subject=span.name, words=("DOWN",), severity=MAJOR, text=text, since_ns=since_ns,
        cause=cause, next_check=check, span=span.name, card=span.card, host=span.host, circuit=span.circuit,
    )  # fmt: skip
    return affecting(condition, groups)


def of_channel(span: Span, timeslot: int, state: str, lessee: str, since_ns: int) -> Condition:
    """A B-channel that cannot be used although its span could: `quarantine` or `remote_oos`."""
    if state == "quarantine":
        cause = f"{lessee} still holds a descriptor of it" if lessee else "its last use has not been proved over"
        check = "end that program" if lessee else "it comes back when the far end acknowledges RESTART, else call them"
        words = ("QUARANTINE",)
    else:
        cause, check, words = "the far end took it out of service", whom_to_call(span), ("REMOTE-OOS",)
    return Condition(
        kind="channel", subject=f"{span.name}:{timeslot}", words=words, severity=WARNING, since_ns=since_ns,
        text=f"Timeslot {timeslot} of {title(span).lower()} is out of use, {cause}: {check}.", cause=cause,
        next_check=check, span=span.name, card=span.card, host=span.host, circuit=span.circuit,
    )  # fmt: skip


def of_flapping(span: Span, returns: int, hold_s: float, since_ns: int) -> Condition:
    """A span that comes and goes, and is the last choice for outgoing calls meanwhile."""
    check = f"look for a loose connector or a far end that restarts, then {whom_to_call(span)}"
    text = (
        f"{title(span)} went and came back {returns} times and is the last choice for outgoing calls for "
        f"{hold_s:.0f} s: {check}; `dahdi-py spans up {span.name} --now` ends that."
    )
    return Condition(
        kind="flapping", subject=span.name, words=("FLAPPING",), severity=MINOR, text=text, since_ns=since_ns,
        cause="a loose connector, a failing card, or a far end that restarts", next_check=check, span=span.name,
        card=span.card, host=span.host, circuit=span.circuit, times=returns,
    )  # fmt: skip


def of_slips(span: Span, seen: Slipped, since_ns: int) -> Condition:
    """A line whose ends run on different clocks."""
    check = f"look at `dahdi-py spans clock`; if our end takes its timing from this carrier, {whom_to_call(span)}"
    text = (
        f"{title(span)} slipped {seen.hour} frames in the last hour, {seen.day} in 24 h; two good clocks slip once in "
        f"70 days: {check}."
    )
    return Condition(
        kind="slips", subject=span.name, words=("SLIPS",), severity=MAJOR if seen.unusable else WARNING, text=text,
        since_ns=since_ns, cause="both ends take their timing from different clocks", next_check=check,
        span=span.name, card=span.card, host=span.host, circuit=span.circuit,
    )  # fmt: skip


def of_interrupts(card: str, missed: int, since_ns: int) -> Condition:
    """A card that the computer does not serve in time."""
    check = "look what holds interrupts off on this computer (shared interrupt, disk, graphics, a hung driver)"
    text = f"Card {card} missed {missed} interrupts within a minute: frames are lost on every span of it: {check}."
    return Condition(
        kind="interrupts", subject=card, words=("IRQ-MISSES",), severity=WARNING, text=text, since_ns=since_ns,
        cause="the computer does not serve the card in time", next_check=check, card=card,
    )  # fmt: skip


def of_host(name: str, problem: str, spans: Iterable[str], since_ns: int, groups: Iterable[Capacity] = ()) -> Condition:
    """A line host that does not serve, and what that costs."""
    lost = ", ".join(spans)
    text = f"Line host {name} is down" + (f" and with it {lost}" if lost else "") + (f": {problem}" if problem else "")
    condition = Condition(
        kind="host", subject=name, words=("DOWN",), severity=CRITICAL, text=text.rstrip(".") + ".", since_ns=since_ns,
        cause=problem or "its process has ended or does not answer", host=name,
        next_check="the service starts it again; if it stays down look into its log (RUN/hosts)",
    )  # fmt: skip
    return affecting(condition, groups) if lost else condition


def of_silent_host(name: str, spans: Iterable[str], since_ns: int, groups: Iterable[Capacity] = ()) -> Condition:
    """A line host that runs and does not answer: calls go to other hosts, what is up on this one cannot be reached."""
    lost = ", ".join(spans)
    check = f"look what its process waits for (stopped, swapping, a driver that hangs), else kill it: {_STARTED_AGAIN}"
    text = f"Line host {name} does not answer" + (f", and with it {lost}" if lost else "") + f": {check}."
    condition = Condition(
        kind="host", subject=name, words=("SILENT",), severity=CRITICAL, text=text, since_ns=since_ns,
        cause="its process is stopped, or waits for something that does not come", host=name, next_check=check,
    )  # fmt: skip
    return affecting(condition, groups) if lost else condition


def of_ledger(directory: str, problem: str, waiting: int, since_ns: int) -> Condition:
    """The journal that cannot be written; `waiting` entries are kept in memory."""
    check = "free space or mend the directory's permissions before the service is restarted"
    text = (
        f"Records and events cannot be written to {directory} ({problem}): calls go on, {waiting} entries wait in "
        f"memory; {check}."
    )
    return Condition(
        kind="ledger", subject=directory, words=("NOT-WRITABLE",), severity=MAJOR, text=text, since_ns=since_ns,
        cause=problem, next_check=check,
    )  # fmt: skip


def of_descriptors(socket: str, since_ns: int) -> Condition:
    """The daemon that has no descriptor free for another client."""
    check = "find who holds so many connections, or raise LimitNOFILE and restart the daemon"
    text = (
        f"No descriptor is free in the control daemon: new clients on {socket} are turned away, calls and connected "
        f"clients go on; {check}."
    )
    return Condition(
        kind="descriptors", subject=socket, words=("EXHAUSTED",), severity=MAJOR, text=text, since_ns=since_ns,
        cause="a client opens connections and does not close them, or the limit is too low", next_check=check,
    )  # fmt: skip


def of_emergency(number: str, times: int, last: str, since_ns: int, call: str = "") -> Condition:
    """Emergency calls that failed; it stays until somebody has seen to it."""
    how_often = "An emergency call" if times == 1 else f"{times} emergency calls"
    text = f"{how_often} to {number} failed; the last: {last}. Find the caller; then clear the alarm by its name"
    return Condition(
        kind="emergency", subject=number, words=("FAILED",), severity=CRITICAL, text=text + ".", since_ns=since_ns,
        cause=last, next_check=f"find the caller, then: dahdi-py alarms clear emergency {number}", times=times,
        call=call,
    )  # fmt: skip
