# SPDX-License-Identifier: GPL-2.0-or-later
"""The `.varlink` text of an interface, made from its message types; the shipped files are the contract.

`python -m dahdi_py.wire.idl` writes the files anew.

A member is optional (`?`) where it may be missing or null: of what a caller gives, whatever has a default; of what it
gets, whatever may be null or is left out when it has its default.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import inspect as types

from dahdi_py.errors import BY_CODE, DahdiPyError
from dahdi_py.wire.interface import Interface, Method
from dahdi_py.wire.refusals import WIRE_ERRORS

ERRORS = Interface("org.dahdipy", "Errors that any method may answer with; each says in `message` what was wrong.", ())
"""The interface that has no methods, only every error."""

_LINE = 110
_LICENCE = "# SPDX-License-Identifier: GPL-2.0-or-later\n\n"
_PLAIN: dict[type[types.Type], str] = {
    types.BoolType: "bool",
    types.IntType: "int",
    types.FloatType: "float",
    types.StrType: "string",
    types.AnyType: "object",
    types.RawType: "object",
}
# The member beside `message` of varlink's own errors. Source: varlink.org, Service.
_ERROR_MEMBER = {
    "InterfaceNotFound": "interface: string",
    "MethodNotFound": "method: string",
    "MethodNotImplemented": "method: string",
    "InvalidParameter": "parameter: string",
}


def describe(interface: Interface, errors: Iterable[type[DahdiPyError]] = ()) -> str:
    """The interface's `.varlink` text: its types, methods and errors, each with its documentation."""
    given, gotten = _structs(interface)
    parts = [f"{_comment(interface.doc)}interface {interface.name}\n"]
    for name, kind in sorted(_named(given | gotten).items()):
        if isinstance(kind, types.EnumType):
            members = [str(member.value) for member in kind.cls]
        else:
            members = [_member(field, kind.cls, gotten=kind.cls in gotten) for field in kind.fields]
        doc = inspect.getdoc(kind.cls) or ""
        parts.append(f"{_comment(doc)}type {name} {_listed(f'type {name} ', members)}\n")
    for method in interface.methods:
        parts.append(_method(method))
    for error in errors:
        name = error.code.rpartition(".")[2]
        members = [_ERROR_MEMBER[name]] if name in _ERROR_MEMBER else []
        parts.append(
            f"{_comment(inspect.getdoc(error) or '')}error {name} ({', '.join([*members, 'message: string'])})\n"
        )
    return "\n".join(parts)


def _method(method: Method) -> str:
    doc = method.doc
    for word, struct in (("Takes", method.params), ("Gives", method.reply)):
        if struct.__struct_fields__:
            doc += f"\n\n{word}: {inspect.getdoc(struct)}"
    if method.stream:
        doc += "\n\nCall with more: answers until the connection is closed."
    if method.fds:
        doc += "\n\nAnswers with descriptors beside the message."
    head = f"method {method.name}"
    taken = [_member(field, method.params, gotten=False) for field in _fields(method.params)]
    given = [_member(field, method.reply, gotten=True) for field in _fields(method.reply)]
    return f"{_comment(doc)}{head}{_listed(head, taken)} -> {_listed('', given)}\n"


def _fields(struct: type[msgspec.Struct]) -> tuple[types.Field, ...]:
    kind = types.type_info(struct)
    assert isinstance(kind, types.StructType)
    return kind.fields


def _listed(head: str, members: list[str]) -> str:
    line = f"({', '.join(members)})"
    if len(head) + len(line) <= _LINE:
        return line
    return "(\n  " + ",\n  ".join(members) + "\n)"


def _comment(text: str) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in text.strip().splitlines())


def _member(field: types.Field, owner: type[msgspec.Struct], *, gotten: bool) -> str:
    text = render(field.type)
    always = field.required or (gotten and not owner.__struct_config__.omit_defaults)
    if not always and not text.startswith("?"):
        text = "?" + text
    return f"{field.encode_name}: {text}"


def render(kind: types.Type) -> str:
    """A type as varlink writes it.

    Raises:
        TypeError: Varlink has no form for it.
    """
    if plain := _PLAIN.get(type(kind)):
        return plain
    if isinstance(kind, types.StructType | types.EnumType):
        return kind.cls.__name__
    if isinstance(kind, types.ListType | types.VarTupleType):
        return "[]" + render(kind.item_type)
    if isinstance(kind, types.DictType):
        if isinstance(kind.value_type, types.AnyType):
            return "object"
        return "[string]" + render(kind.value_type)
    if isinstance(kind, types.UnionType):
        rest = [member for member in kind.types if not isinstance(member, types.NoneType)]
        if len(rest) == 1 and len(kind.types) == 2:
            return "?" + render(rest[0])
    raise TypeError(f"varlink has no form for {kind}")


def _structs(interface: Interface) -> tuple[set[type], set[type]]:
    """The types reachable from what callers give, and from what they get; not the parameter lists themselves."""
    given: set[type] = set()
    gotten: set[type] = set()
    for method in interface.methods:
        for field in _fields(method.params):
            given.update(_reachable(field.type))
        for field in _fields(method.reply):
            gotten.update(_reachable(field.type))
    return given, gotten


def _reachable(kind: types.Type) -> Iterator[type]:
    if isinstance(kind, types.EnumType):
        yield kind.cls
    elif isinstance(kind, types.StructType):
        yield kind.cls
        for field in kind.fields:
            yield from _reachable(field.type)
    elif isinstance(kind, types.ListType | types.VarTupleType):
        yield from _reachable(kind.item_type)
    elif isinstance(kind, types.DictType):
        yield from _reachable(kind.value_type)
    elif isinstance(kind, types.UnionType):
        for member in kind.types:
            yield from _reachable(member)


def _named(classes: set[type]) -> dict[str, types.StructType | types.EnumType]:
    named: dict[str, types.StructType | types.EnumType] = {}
    for cls in classes:
        kind = types.type_info(cls)
        assert isinstance(kind, types.StructType | types.EnumType)
        if cls.__name__ in named:
            raise TypeError(f"two types are named {cls.__name__}")
        named[cls.__name__] = kind
    return named


def own_errors() -> list[type[DahdiPyError]]:
    """Every error named `org.dahdipy.*`, by name."""
    own = {cls for cls in (*BY_CODE.values(), *WIRE_ERRORS) if cls.code.startswith(f"{ERRORS.name}.")}
    return sorted(own, key=lambda cls: cls.code)


def interfaces() -> list[Interface]:
    """Every interface of the project, by name."""
    messages = importlib.import_module("dahdi_py.wire.messages")
    found = [ERRORS]
    for module in pkgutil.iter_modules(messages.__path__):
        interface = getattr(importlib.import_module(f"{messages.__name__}.{module.name}"), "INTERFACE", None)
        if interface is not None:
            found.append(interface)
    return sorted(found, key=lambda interface: interface.name)


def files() -> dict[Path, str]:
    """The shipped files and what each must contain."""
    folder = Path(__file__).parent
    return {
        folder / f"{interface.name}.varlink": _LICENCE
        + describe(interface, own_errors() if interface is ERRORS else ())
        for interface in interfaces()
    }


def main() -> None:
    """The shipped files say what the types say; files of interfaces that are no more are gone."""
    wanted = files()
    for path in Path(__file__).parent.glob("*.varlink"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
