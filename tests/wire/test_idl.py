# SPDX-License-Identifier: GPL-2.0-or-later
"""The shipped `.varlink` files are the contract: the types and the handlers are held against them."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from varlink import Interface as ReferenceInterface  # type: ignore[import-untyped]

from dahdi_py.errors import BY_CODE, DahdiPyError
from dahdi_py.wire import idl
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.idl_parse import Enum, Struct, parse
from dahdi_py.wire.interface import Empty, Interface, Method, Record
from dahdi_py.wire.interface import Request as Parameters
from tests.wire.service import INTERFACE, serving

SHIPPED = sorted((Path(idl.__file__).parent).glob("*.varlink"))


def test_the_shipped_files_are_what_the_types_say() -> None:
    wanted = idl.files()
    assert sorted(wanted) == SHIPPED, "run: make idl"
    for path, text in wanted.items():
        assert path.read_text() == text, f"{path.name}: run: make idl"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_file_reads_as_varlink_to_us_and_to_the_reference(path: Path) -> None:
    text = path.read_text()
    ours = parse(text)
    reference = ReferenceInterface(text)
    assert ours.name == reference.name == path.stem
    assert set(ours.docs) == set(reference.members)
    assert all(ours.docs.values()), "every type, method and error says what it is"


def test_every_error_is_declared() -> None:
    declared = parse(idl.describe(idl.ERRORS, idl.own_errors())).errors
    assert {f"org.dahdipy.{name}" for name in declared} >= {
        code for code in BY_CODE if not code.startswith("org.varlink.")
    }
    assert all(("message", "string") in struct.members for struct in declared.values())


class Colour(StrEnum):
    """A colour."""

    RED = "red"
    DARK_BLUE = "dark_blue"


class Inner(Record):
    """A part."""

    colour: Colour
    note: str | None = None
    level: int = 3


class Sparse(Record, omit_defaults=True):
    """A part that leaves out what has its default."""

    level: int = 3
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class Ask(Parameters):
    """A question."""

    name: str
    colour: Colour = Colour.RED
    many: list[int] = msgspec.field(default_factory=list)


class Answer(Record):
    """An answer."""

    inner: list[Inner]
    sparse: Sparse
    counters: dict[str, int | None]
    share: float
    raw: Any = None


_SAMPLE = Interface("org.dahdipy.Sample", "A sample.", (Method("Ask", Ask, Answer, doc="Asks."),))


def test_types_members_and_optionality_are_told() -> None:
    text = parse(idl.describe(_SAMPLE))
    assert text.types == {
        "Colour": Enum(("red", "dark_blue")),
        "Inner": Struct((("colour", "Colour"), ("note", "?string"), ("level", "int"))),
        "Sparse": Struct((("level", "?int"), ("data", "?object"))),
    }
    ask = text.methods["Ask"]
    assert ask.takes.members == (("name", "string"), ("colour", "?Colour"), ("many", "?[]int"))
    assert ask.gives.members == (
        ("inner", "[]Inner"),
        ("sparse", "Sparse"),
        ("counters", "[string]?int"),
        ("share", "float"),
        ("raw", "object"),
    )
    assert text.docs["Inner"] == "A part."
    assert "Takes: A question." in ask.doc


class _Odd(Record):
    """No form in varlink."""

    either: int | str


def test_a_type_without_a_form_is_refused() -> None:
    with pytest.raises(TypeError, match="no form"):
        idl.describe(Interface("org.dahdipy.Odd", "Odd.", (Method("Ask", Empty, _Odd, doc="Asks."),)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too early"),
        ("interface org.dahdipy.X", "at least one member"),
        ("interface nodots\nmethod A() -> ()", "cannot name an interface"),
        ("interface a.b\nmethod a() -> ()", "cannot name a method"),
        ("interface a.b\nmethod A() ()", "where '->' should be"),
        ("interface a.b\nmethod A(a_: int) -> ()", "cannot name a member"),
        ("interface a.b\nmethod A(a: int, a: int) -> ()", "declared twice"),
        ("interface a.b\nmethod A(a: ??int) -> ()", "optional twice"),
        ("interface a.b\nmethod A(a: Nothing) -> ()", "Nothing is used and not declared"),
        ("interface a.b\ntype A (one, two: int)", "in one list"),
        ("interface a.b\nmethod A(one, two) -> ()", "members with types should be"),
        ("interface a.b\ntype A (one)\ntype A (two)", "declared twice"),
        ("interface a.b\nthing A (one)", "where type, method or error should be"),
        ("interface a.b\ntype A (one", "too early"),
        ("interface a.b\ntype A {one}", "unexpected '{'"),
    ],
)
def test_wrong_text_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(DahdiPyError, match=reason) as caught:
        parse(text)
    assert 1 <= caught.value.line <= text.count("\n") + 1
    assert f"line {caught.value.line}:" in str(caught.value)


def test_text_of_others_is_read() -> None:
    text = parse(
        """# Somebody's.
interface com.example.a-b.C1

# Not the doc of what follows.

method Monitor(
  # a comment inside
  point: (x: int, y: ?[]float), colour: (red, green)
) -> (rows: [string][]Row) # and behind
type Row (
  cells: []string
)
error Broken ()"""
    )
    assert text.doc == "Somebody's."
    assert text.methods["Monitor"].doc == ""
    assert text.methods["Monitor"].takes.members == (("point", "(x: int, y: ?[]float)"), ("colour", "(red, green)"))
    assert text.methods["Monitor"].gives.members == (("rows", "[string][]Row"),)
    assert text.errors == {"Broken": Struct(())}


class _Name(Parameters):
    interface: str


def test_a_server_tells_what_it_serves(run_dir: Path) -> None:
    with serving(run_dir / "s") as service, Connection(service.path) as connection:
        info = connection.call("org.varlink.service.GetInfo", None, dict)
        assert info["interfaces"] == ["org.dahdipy", "org.dahdipy.Test", "org.varlink.service"]
        assert info["version"]
        for name in info["interfaces"]:
            described = connection.call("org.varlink.service.GetInterfaceDescription", _Name(interface=name), dict)
            assert parse(described["description"]).name == name
        assert set(parse(idl.describe(INTERFACE)).methods) == {method.name for method in INTERFACE.methods}


def test_every_reply_type_takes_later_fields_and_every_request_refuses_unknown_ones() -> None:
    for interface in idl.interfaces():
        for method in interface.methods:
            if method.params is not Empty:
                assert method.params.__struct_config__.forbid_unknown_fields, (interface.name, method.name)
            if method.reply is not Empty:
                assert not method.reply.__struct_config__.forbid_unknown_fields, (interface.name, method.name)
            assert issubclass(method.params, msgspec.Struct)
