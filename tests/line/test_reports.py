# SPDX-License-Identifier: GPL-2.0-or-later
"""Performance report messages of ESF: what is on the data link, and what the other end makes of it.

Source: T1.403 (ESF data link, performance report message).
"""

from __future__ import annotations

from typing import Any

import pytest

from dahdi_py.core.far_end_reports import Report, Reports
from dahdi_py.core.terms import Alarms, Coding, Framing, LineType
from dahdi_py.ffi._line import ffi, lib
from dahdi_py.ffi.framer import FORCE_NO_SIGNAL, FRAME_SPAN, Framer
from dahdi_py.ffi.line import Card
from dahdi_py.ffi.line_types import Fault, Loop
from tests.line import hdlc_oracle
from tests.line.framer_rig import FRAMES_A_SECOND, t1
from tests.line.rig import joined

TICK = 40
IDLE = [b"\xff" * TICK] * 32
SECOND_NS = 1_000_000_000
NUMBER = 3


class Link:
    """Framers `a` and `b` on one line, and every bit of a's data link.

    Synchronization: one thread.
    """

    def __init__(self) -> None:
        self.a, self.b = t1(), t1()
        self.b.number_reports(1)
        self.bits: list[int] = []
        self.cut = False

    def run(self, frames: int) -> None:
        for _ in range(frames // TICK):
            there, here = self.a.send(IDLE, TICK), self.b.send(IDLE, TICK)
            self.bits += [row >> 7 for row in there[:: 2 * FRAME_SPAN]]  # every other F bit
            self.b.receive(there, signal=not self.cut)
            self.a.receive(here)

    def seconds(self, count: int) -> None:
        self.run(count * FRAMES_A_SECOND)

    def sent(self) -> list[bytes]:
        """The messages that have gone out, without FCS."""
        return [frame[:-2] for frame in hdlc_oracle.receive(hdlc_oracle.to_octets(self.bits), 64).frames]


def told(reports: Reports, count: int) -> list[Report]:
    """The newest seconds, the newest first, without their numbers."""
    return [Report(word & ~NUMBER) for word in reports.newest[:count]]


@pytest.fixture
def link() -> Link:
    """Three good seconds have gone by and been told."""
    link = Link()
    link.seconds(3)
    link.run(FRAMES_A_SECOND // 2)
    return link


def test_the_message_is_fifteen_octets_on_the_data_link(link: Link) -> None:
    """Flag, SAPI 14 and C/R 0, TEI 0, UI, four seconds, FCS, flag: the newest second first."""
    first, second, third = link.sent()
    nothing = bytes(2)
    assert first == b"\x38\x01\x03" + b"\x00\x40" + nothing * 3  # out of frame at first: SE, number 0
    assert second == b"\x38\x01\x03" + b"\x00\x01" + b"\x00\x40" + nothing * 2
    assert third == b"\x38\x01\x03" + b"\x00\x02" + b"\x00\x01" + b"\x00\x40" + nothing
    assert len(third) + len(hdlc_oracle.fcs(third)) + 2 == 15
    # 120 bits at 4 kbit/s and a few that are stuffed; flags for the rest of the second.
    assert hdlc_oracle.frame_bits(third)[:24] == [0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1] + [0] * 6


def test_it_goes_out_once_a_second_with_its_number(link: Link) -> None:
    link.seconds(6)
    assert [message[4] & NUMBER for message in link.sent()] == [n % 4 for n in range(9)]
    assert link.b.reports.total == 9
    assert told(link.b.reports, 8) == [Report(0)] * 8


@pytest.mark.parametrize(("errors", "report"), [(1, Report.G1), (100, Report.G4), (300, Report.G5)])
def test_what_one_end_receives_the_other_is_told(link: Link, errors: int, report: Report) -> None:
    link.run(FRAMES_A_SECOND // 2)
    link.a.spoil(crc=errors)
    link.seconds(2)
    link.run(FRAMES_A_SECOND // 2)
    assert link.b.counts.crc == errors
    assert told(link.a.reports, 3) == [Report(0), report, Report(0)]
    assert told(link.b.reports, 3) == [Report(0)] * 3


def second(**counted: int) -> Report:
    """What a second is told as that had these counts, and those looped or without frames."""
    tx = ffi.new("struct report_tx *")
    tx.faulty, tx.looped = bool(counted.pop("faulty", 0)), bool(counted.pop("looped", 0))
    counts = ffi.new("struct report_counts *", counted)
    message = ffi.new("uint8_t[]", lib.REPORT_OCTETS)
    assert not lib.report_elapse(tx, counts, FRAMES_A_SECOND - 1, message)
    assert lib.report_elapse(tx, counts, 1, message)
    assert bytes(message[0:3]) == b"\x38\x01\x03"
    return Report(message[3] << 8 | message[4])


@pytest.mark.parametrize(
    ("counted", "report"),
    [
        ({}, Report(0)),
        *(({"crc": n}, bit) for n, bit in (
            (1, Report.G1), (2, Report.G2), (5, Report.G2), (6, Report.G3), (10, Report.G3), (11, Report.G4),
            (100, Report.G4), (101, Report.G5), (319, Report.G5), (320, Report.G6), (333, Report.G6),
        )),
        ({"fas": 1}, Report.FE),
        ({"fas": 2, "severe": 1}, Report.SE),  # FE is clear then
        ({"faulty": 1}, Report.SE),
        ({"violations": 1}, Report.LV),
        ({"slips": 1}, Report.SL),
        ({"looped": 1}, Report.LB),
        ({"crc": 7, "violations": 3, "slips": 2, "fas": 1}, Report.G3 | Report.LV | Report.SL | Report.FE),
    ],
)  # fmt: skip
def test_a_second_is_told_by_its_bits(counted: dict[str, int], report: Report) -> None:
    assert second(**counted) == report


def test_the_bits_are_where_the_standard_has_them() -> None:
    """G3 LV G4 U1 U2 G5 SL G6, then FE SE LB G1 R G2 Nm NI, bit 8 first."""
    octets = (("G3", "LV", "G4", "", "", "G5", "SL", "G6"), ("FE", "SE", "LB", "G1", "", "G2", "", ""))
    for half, names in enumerate(octets):
        for place, name in enumerate(names):
            if name:
                assert Report[name] == 0x80 >> place << 8 * (1 - half)
                assert getattr(lib, f"REPORT_{name}") == Report[name]


def take(rx: Any, *seconds: int, address: int = 0x38) -> bool:
    """Whether a message of these seconds, the newest first, is taken for one."""
    octets = [address, 1, 3, *(octet for second in seconds for octet in divmod(second, 256))]
    return bool(lib.report_take(rx, ffi.new("uint8_t[]", octets), len(octets)))


@pytest.fixture
def receiver() -> Any:
    return ffi.new("struct report_rx *")


def test_each_second_is_told_once_whatever_messages_are_lost(receiver: Any) -> None:
    rx = receiver
    assert take(rx, 0x0100, 0, 0, 0)
    assert rx.total == 1
    for number, passed, total in ((1, 1, 2), (3, 2, 4), (2, 3, 7), (0, 2, 9)):
        rx.frames = passed * FRAMES_A_SECOND
        assert take(rx, 0x1000 + number, 0x2000, 0x3000, 0x4000)
        assert (rx.total, rx.frames) == (total, 0)
    assert list(rx.newest)[:3] == [0x1000, 0x2000, 0x1002]


def test_after_four_seconds_of_silence_the_number_says_nothing(receiver: Any) -> None:
    take(receiver, 1, 0, 0, 0)
    receiver.frames = 4 * FRAMES_A_SECOND
    take(receiver, 2, 0, 0, 0)
    assert receiver.total == 5


@pytest.mark.parametrize("number", range(4))
def test_no_more_seconds_are_told_than_have_passed(receiver: Any, number: int) -> None:
    """Whatever a far end says: the same number for ever, or messages back to back."""
    for _ in range(100):
        take(receiver, number, 0, 0, 0)
        receiver.frames += FRAMES_A_SECOND // 32
    assert receiver.total <= 1 + 100 // 32
    before = receiver.total
    for _ in range(10):
        receiver.frames += FRAMES_A_SECOND
        take(receiver, number, 0, 0, 0)
    assert receiver.total <= before + 11


@pytest.mark.parametrize("address", [0x38, 0x3A])
def test_the_carriers_messages_are_taken_too(receiver: Any, address: int) -> None:
    assert take(receiver, 0, 0, 0, 0, address=address)


def heard(content: bytes) -> int:
    """How many seconds a receiver has when that frame has come on the data link."""
    tx, rx = ffi.new("struct fdl_tx *"), ffi.new("struct fdl_rx *")
    lib.fdl_found(rx)
    lib.fdl_send_frame(tx, content, len(content))
    for _ in range(8 * (len(content) + 6) * 6 // 5):
        lib.fdl_receive(rx, lib.fdl_send(tx, False))
    return int(rx.report.total)


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (b"\x38\x01\x03" + bytes(8), 1), (b"\x3a\x01\x03" + bytes(8), 1),
        (b"\x38\x01\x03" + bytes(6), 0), (b"\x38\x01\x03" + bytes(7), 0), (b"\x38\x01\x03" + bytes(10), 0),
        (b"\x38\x01\x03", 0), (b"\x3c\x01\x03" + bytes(8), 0), (b"\x38\x03\x03" + bytes(8), 0),
        (b"\x38\x01\x13" + bytes(8), 0), (bytes(11), 0), (bytes(100), 0),
    ],
)  # fmt: skip
def test_any_other_frame_is_no_report(content: bytes, seconds: int) -> None:
    assert heard(content) == seconds


def test_a_command_cuts_a_message_and_the_next_one_makes_up_for_it(link: Link) -> None:
    link.run(FRAMES_A_SECOND // 2)
    assert link.a.send_bom(0x0EFF, 10)
    link.run(FRAMES_A_SECOND // 2)
    assert link.b.boms == (1, 0x0EFF)
    assert link.b.reports.total == 3
    link.seconds(1)
    assert link.b.reports.total == 5
    assert [message[4] & NUMBER for message in link.sent()] == [0, 1, 2, 0]


def test_an_alarm_keeps_messages_out_and_four_seconds_of_it_are_told_behind_it(link: Link) -> None:
    """The far end's RAI tells of the rest: nothing is told twice."""
    link.b.force(FORCE_NO_SIGNAL)
    link.cut = True
    link.seconds(10)
    assert link.b.reports.total == 3
    link.b.force(0)
    link.cut = False
    link.run(FRAMES_A_SECOND // 2 + 2 * TICK)
    link.seconds(3)
    assert link.a.alarms == link.b.alarms == Alarms.NONE
    heard = link.a.reports
    # Each end's receiver had ten bad seconds, a part of one at both ends of it, and good ones since.
    assert told(heard, 2) == [Report(0)] * 2
    assert heard.total <= 3 + 4 + 2
    before = heard.total
    link.seconds(4)
    assert link.a.reports.total == before + 4
    assert told(link.b.reports, 4) == [Report(0)] * 4


def test_a_line_without_a_data_link_has_none() -> None:
    a, b = t1(Framing.D4), t1(Framing.D4)
    both(a, b, 4 * FRAMES_A_SECOND)
    assert (a.alarms, a.reports.total) == (Alarms.NONE, 0)
    with joined(LineType.T1) as card:
        card.frame(1, Framing.D4, Coding.AMI, crc4=False)
        assert card.status(1).reports is None


def both(a: Framer, b: Framer, frames: int) -> None:
    for _ in range(frames // TICK):
        there, here = a.send(IDLE, TICK), b.send(IDLE, TICK)
        b.receive(there)
        a.receive(here)


def reports_of(card: Card, port: int) -> Reports:
    reports = card.status(port).reports
    assert reports is not None
    return reports


def total(card: Card, port: int) -> int:
    return reports_of(card, port).total


def told_of(card: Card, port: int, count: int) -> list[Report]:
    return told(reports_of(card, port), count)


def newest(card: Card, port: int, count: int) -> Report:
    """All that these seconds told."""
    found = Report(0)
    for one in told_of(card, port, count):
        found |= one
    return found


def test_a_port_tells_its_slips_loops_and_violations() -> None:
    with joined(LineType.T1) as card:
        card.advance(6 * SECOND_NS)
        assert newest(card, 1, 4) == Report(0)
        card.clock(1, 100.0)
        card.advance(4 * SECOND_NS)
        card.clock(1, 0.0)
        assert newest(card, 1, 3) == Report.SL
        card.advance(5 * SECOND_NS)
        card.fault(1, Fault.VIOLATIONS, 7)
        card.advance(2 * SECOND_NS)
        assert newest(card, 2, 3) == Report.LV
        assert newest(card, 1, 3) == Report(0)
        card.loop(2, Loop.PAYLOAD)
        card.advance(3 * SECOND_NS)
        assert newest(card, 1, 1) == Report.LB


def test_a_framing_that_was_changed_and_a_stop_tell_nothing_of_the_time_between() -> None:
    with joined(LineType.T1) as card:
        card.advance(6 * SECOND_NS)
        for port in (1, 2):
            card.frame(port, Framing.D4, Coding.B8ZS, crc4=False)
        card.fault(1, Fault.VIOLATIONS, 50)
        card.advance(6 * SECOND_NS)
        for port in (1, 2):
            card.frame(port, Framing.ESF, Coding.B8ZS, crc4=False)
        before = total(card, 2)
        card.advance(8 * SECOND_NS)
        assert newest(card, 2, 8) == Report.SE
        assert newest(card, 2, 2) == Report(0)
        assert total(card, 2) <= before + 4 + 8
        card.run_port(1, False)
        card.advance(20 * SECOND_NS)
        card.run_port(1, True)
        before = total(card, 2)
        card.advance(3 * SECOND_NS)
        assert before < total(card, 2) <= before + 4 + 2
        assert all(one & Report.SE for one in told_of(card, 2, 5)[-3:])


def test_a_late_card_is_no_slip() -> None:
    with joined(LineType.T1) as card:
        card.advance(6 * SECOND_NS)
        lib.card_slip(card._card, 100)
        card.advance(3 * SECOND_NS)
        assert card.status(1).slips == 100
        assert newest(card, 2, 3) == Report(0)


@pytest.mark.parametrize("loop", [Loop.LINE, Loop.LOCAL])
def test_what_an_end_reports_itself_is_no_far_ends_on_a_loop(loop: Loop) -> None:
    with joined(LineType.T1) as card:
        card.advance(6 * SECOND_NS)
        card.loop(2 if loop is Loop.LINE else 1, loop)
        card.advance(6 * SECOND_NS)
        card.fault(1, Fault.CRC, 5)
        card.fault(1, Fault.VIOLATIONS, 5)
        card.advance(10 * SECOND_NS)
        assert card.status(1).line.violations == (5 if loop is Loop.LINE else 0)
        assert newest(card, 1, 8) == Report(0)
        card.loop(1, Loop.NONE)
        card.loop(2, Loop.NONE)
        card.advance(6 * SECOND_NS)
        card.fault(2, Fault.CRC, 5)
        card.advance(3 * SECOND_NS)
        assert newest(card, 1, 3) == Report.G2


def test_an_e1_has_none() -> None:
    with joined(LineType.E1) as card:
        card.advance(3 * SECOND_NS)
        assert card.status(1).reports is None
