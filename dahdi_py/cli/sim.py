# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py sim``: practise on a simulated line: pull its cable, spoil it, offset its clock, fade it, loop it."""

from __future__ import annotations

import re

import click
import msgspec

from dahdi_py.cli.command import Noun
from dahdi_py.cli.names import SpanParam
from dahdi_py.cli.output import print_json
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.sim_text import sim_page, sim_setting, sim_table
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.cable import (
    CableRequest,
    ClockRequest,
    CodeRequest,
    FarEndRequest,
    FaultRequest,
    LevelRequest,
    MendRequest,
    PortRequest,
)
from dahdi_py.wire.messages.sim import LoopRequest, ShowRequest, SimLines

_TIMES = {"ms": 1, "s": 1000, "m": 60_000}
_BITS_A_MS = {"E1": 2048, "T1": 1544}
_WAY = click.option(
    "--way", type=click.Choice(["arriving", "leaving", "both"]), default="arriving", show_default=True,
    help="The cable's direction, seen from SPAN.",
)  # fmt: skip
_BOTH_WAYS = click.option(
    "--way", type=click.Choice(["arriving", "leaving", "both"]), default="both", show_default=True,
    help="The cable's direction, seen from SPAN.",
)  # fmt: skip


_MOST_MS = 86_400_000
_LOOP_MS = 300_000
"""What a practice needs, ms; a loop that is forgotten takes the span out of service."""


class Milliseconds(click.ParamType):  # type: ignore[type-arg] # generic from click 8.5 on
    """A short length of time: ``500ms``, ``5s``, ``2m``, as whole milliseconds."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The milliseconds that the text says."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", str(value))
        if not found or not (ms := round(float(found[1]) * _TIMES[found[2]])):
            self.fail(f"{value!r} is not a time; write such as 500ms, 5s, 2m", param, ctx)
        if ms > _MOST_MS:
            self.fail(f"{value!r} is longer than a day (1440m)", param, ctx)
        return ms


class Timeslots(click.ParamType):  # type: ignore[type-arg] # generic from click 8.5 on
    """Timeslots: ``1,2,5-7``, or ``none``."""

    name = "SLOTS"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """The timeslots, ascending."""
        if value == "none":
            return []
        slots: set[int] = set()
        for part in str(value).split(","):
            found = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", part)
            if not found:
                self.fail(f"{value!r} names no timeslots; write such as 1,2,5-7, or none", param, ctx)
            slots.update(range(int(found[1]), int(found[2] or found[1]) + 1))
        if not slots or not slots <= set(range(1, 32)):
            self.fail(f"{value!r} names timeslots that no line has; possible are 1-31", param, ctx)
        return sorted(slots)


@click.group(cls=Noun, default="show")
def sim() -> None:
    """Practise on a simulated line: cables, faults, clocks, levels, loops.

    SPAN is a span's number or name, or CARD:PORT.
    """


@sim.command()
@click.argument("span", type=SpanParam(), required=False, default="")
@pass_session
def show(session: Session, span: str) -> None:
    """Every simulated line, or all about one."""
    reply = session.ask("org.dahdipy.Sim.Show", ShowRequest(port=span), SimLines)
    if session.json:
        print_json(reply)
    elif span:
        click.echo(sim_page(reply.lines[0]))
    else:
        click.echo(sim_table(reply))


@sim.command()
@click.argument("span", type=SpanParam())
@click.argument("other", type=SpanParam())
@pass_session
def cable(session: Session, span: str, other: str) -> None:
    """Plug a cable into SPAN and OTHER, two ports of one card and line type."""
    _do(session, "Cable", CableRequest(a=span, b=other), span)


@sim.command()
@click.argument("span", type=SpanParam())
@pass_session
def uncable(session: Session, span: str) -> None:
    """Pull the cable out of SPAN, at both ends; what was wrong with it is gone with it."""
    _do(session, "Uncable", PortRequest(port=span), span)


@sim.command()
@click.argument("span", type=SpanParam())
@click.argument(
    "fault",
    type=click.Choice(
        ["cut", "all-ones", "bit-errors", "burst", "framing", "crc", "violations", "flap", "delay"],
        case_sensitive=False,
    ),
)
@click.argument("value", required=False)
@_WAY
@click.option("--for", "duration", type=Milliseconds(), help="How long: cut, all-ones, burst (such as 500ms, 5s).")
@click.option("--period", type=Milliseconds(), help="Of flap: down for half of it.")
@click.option("--seed", type=click.IntRange(min=0), help="Random errors are the same each time.")
@pass_session
def inject(
    session: Session, span: str, fault: str, value: str | None, way: str, duration: int | None, period: int | None,
    seed: int | None,
) -> None:  # fmt: skip
    """Spoil the cable of SPAN.

    \b
    cut                  no signal, for good or --for a while
    all-ones             AIS, for good or --for a while
    bit-errors RATE      such as 1e-6, for good; 0 ends it
    burst RATE --for T   such as 1e-2, for a while
    framing N            N frame alignment errors
    crc N                N blocks with a wrong CRC
    violations N         N line code violations
    flap N --period T    N losses of signal
    delay BITS|TIME      bits late: 512, or 20ms
    """
    if (fault == "flap") != (period is not None):
        raise click.UsageError("flap takes --period, and nothing else does; such as: flap 3 --period 2s")
    if fault == "flap" and duration is not None:
        raise click.UsageError("flap takes --period, not --for")
    request = FaultRequest(
        port=span, fault=fault.replace("-", "_"), value=_value(session, span, fault, value), way=way,
        duration_ms=period or duration, seed=seed,
    )  # fmt: skip
    _do(session, "Inject", request, span)


def _value(session: Session, span: str, fault: str, value: str | None) -> float:
    if fault in ("cut", "all-ones"):
        if value is not None:
            raise click.UsageError(f"{fault} takes no number; to end it: dahdi-py sim mend {span}")
        return 1.0
    if value is None:
        raise click.UsageError(f"{fault} takes a number; see dahdi-py sim inject --help")
    if fault == "delay" and value[-1:] in ("s", "m"):
        reply = session.ask("org.dahdipy.Sim.Show", ShowRequest(port=span), SimLines)
        return Milliseconds().convert(value, None, None) * _BITS_A_MS[reply.lines[0].line.type]
    try:
        return float(value)
    except ValueError:
        raise click.UsageError(f"{value!r} is no number; {fault} takes one") from None


@sim.command()
@click.argument("span", type=SpanParam())
@_BOTH_WAYS
@pass_session
def mend(session: Session, span: str, way: str) -> None:
    """End every fault of the cable of SPAN, its delay and loss too."""
    _do(session, "Mend", MendRequest(port=span, way=way), span)


@sim.command(context_settings={"ignore_unknown_options": True})
@click.argument("span", type=SpanParam())
@click.argument("ppm", type=float, required=False)
@click.option("--from-line/--internal", default=None, help="Take the clock from the line, or from the oscillator.")
@pass_session
def clock(session: Session, span: str, ppm: float | None, from_line: bool | None) -> None:
    """Set how far the oscillator of SPAN is off nominal, such as 50 or -4.6 ppm, and where its clock comes from."""
    if ppm is None and from_line is None:
        raise click.UsageError("say how far the oscillator is off, ppm, or --from-line or --internal")
    _do(session, "Clock", ClockRequest(port=span, ppm=ppm, from_line=from_line), span)


@sim.command()
@click.argument("span", type=SpanParam())
@click.option("--loss", type=float, metavar="DB", help="What the cable takes off, dB; from 35 on there is no signal.")
@click.option("--build-out", type=float, metavar="DB", help="What SPAN sends less, dB: 0, 7.5, 15, 22.5.")
@_BOTH_WAYS
@pass_session
def level(session: Session, span: str, loss: float | None, build_out: float | None, way: str) -> None:
    """Fade the signal on the cable of SPAN."""
    if loss is None and build_out is None:
        raise click.UsageError("say what the signal loses: --loss DB, --build-out DB")
    _do(session, "Level", LevelRequest(port=span, loss_db=loss, build_out_db=build_out, way=way), span)


@sim.command()
@click.argument("span", type=SpanParam())
@click.argument("kind", type=click.Choice(["none", "local", "line", "payload"]), required=False)
@click.option("--timeslots", type=Timeslots(), help="Send these back as they arrive, such as 1,2,5-7, or none.")
@click.option("--for", "duration", type=Milliseconds(), help="What this loops ends by itself then.  [default: 5m]")
@click.option("--keep", is_flag=True, help="What this loops stays until you end it.")
@click.option(
    "--force", is_flag=True, help="Although channels are busy: their calls are cut off (never an emergency call)."
)
@pass_session
def loop(
    session: Session, span: str, kind: str | None, timeslots: list[int] | None, duration: int | None, keep: bool,
    force: bool,
) -> None:  # fmt: skip
    """Loop SPAN, or timeslots of it.

    \b
    local      what it sends is what it receives
    line       what arrives goes back, bits untouched
    payload    the timeslots that arrive go back, framed anew
    """
    if kind is None and timeslots is None:
        raise click.UsageError("say which loop: none, local, line, payload, or --timeslots")
    if keep and duration is not None:
        raise click.UsageError("a loop stays or ends by itself: --keep or --for TIME")
    looped = kind not in (None, "none") or bool(timeslots)
    lasts = (duration or _LOOP_MS) if looped and not keep else None
    wants = LoopRequest(port=span, loop=kind, timeslots=timeslots, duration_ms=lasts, force=force)
    _do(session, "Loop", wants, span)


@sim.command("far-end")
@click.argument("span", type=SpanParam())
@click.argument("kind", type=click.Choice(["csu", "niu", "none"]))
@pass_session
def far_end(session: Session, span: str, kind: str) -> None:
    """Put a CSU or NIU at the other end of SPAN, a T1, in place of a cable; or take it away.

    It sends idle timeslots and obeys loop codes.
    """
    _do(session, "FarEnd", FarEndRequest(port=span, kind=kind), span)


@sim.command("send-code")
@click.argument("span", type=SpanParam())
@click.argument("code", type=click.Choice(["csu-up", "csu-down", "niu-up", "niu-down", "payload-up", "payload-down"]))
@click.option("--fdl", is_flag=True, help="On ESF's data link, beside the calls; else in place of all timeslots.")
@click.option("--for", "duration", type=Milliseconds(), default="6s", show_default=True, help="In-band: 5s at least.")
@pass_session
def send_code(session: Session, span: str, code: str, fdl: bool, duration: int) -> None:
    """Send a loop code from SPAN, a T1, to what is at its other end."""
    by = "fdl" if fdl else "inband"
    _do(session, "SendCode", CodeRequest(port=span, code=code.replace("-", "_"), by=by, duration_ms=duration), span)


def _do(session: Session, method: str, request: msgspec.Struct, span: str) -> None:
    session.ask(f"org.dahdipy.Sim.{method}", request, Empty)
    reply = session.ask("org.dahdipy.Sim.Show", ShowRequest(port=span), SimLines)
    if session.json:
        print_json(reply)
    else:
        click.echo(sim_setting(reply.lines[0]))
