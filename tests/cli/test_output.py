# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import click

from dahdi_py.cli.output import Column, as_json, table
from dahdi_py.cli.times import NS
from tests.cli.samples import record, span

COLUMNS = (Column("N", right=True), Column("NAME"), Column("LAST"))


def test_columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() -> None:
    text = table(COLUMNS, [["1", "a", "x"], ["100", "a long name", ""]])
    assert click.unstyle(text).splitlines() == [
        "  N  NAME         LAST",
        "  1  a            x",
        "100  a long name  -",
    ]


def test_colour_takes_no_room() -> None:
    plain = table(COLUMNS, [["1", "a", "x"], ["2", "bb", "y"]])
    coloured = table(COLUMNS, [["1", click.style("a", fg="red"), "x"], ["2", "bb", "y"]])
    assert click.unstyle(coloured) == click.unstyle(plain)


def test_json_has_instants_in_iso_and_lengths_in_seconds() -> None:
    value = as_json(record())
    assert value["duration_s"] == 4.0
    assert value["started"].endswith("Z")
    assert not {"duration_ns", "started_ns"} & value.keys()
    assert value["messages"][1]["monotonic_ns"] == NS
    assert value["messages"][1]["utc"] > value["messages"][0]["utc"]


def test_json_keeps_what_is_not_known_as_null() -> None:
    value = as_json(span(1, since_ns=0, framing=None, counters={"crc": None}))
    assert value["since"] is None
    assert value["framing"] is None
    assert value["counters"] == {"crc": None}
