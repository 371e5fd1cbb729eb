# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads `.varlink` text: of our own interfaces and of anybody's. Source: varlink.org, Interface Definition."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dahdi_py.errors import DahdiPyError

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|#(?P<comment>[^\n]*)(?:\n|$)|(?P<arrow>->)|(?P<prefix>\[\]|\[string\]|\?)|(?P<mark>[(),:])"
    r"|(?P<word>[A-Za-z][A-Za-z0-9_.-]*)"
)
_INTERFACE = re.compile(r"[A-Za-z](-*[A-Za-z0-9])*(\.[A-Za-z0-9](-*[A-Za-z0-9])*)+")
_TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_MEMBER_NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")
_PLAIN = frozenset(("bool", "int", "float", "string", "object"))


@dataclass(frozen=True, slots=True)
class Struct:
    """Members in order, each a name and its type as written."""

    members: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Enum:
    """The words a value can be."""

    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MethodText:
    """A method: what it takes and gives."""

    doc: str
    takes: Struct
    gives: Struct


@dataclass(slots=True)
class InterfaceText:
    """What an interface's text says, each part by name and in the order written."""

    name: str
    doc: str
    types: dict[str, Struct | Enum] = field(default_factory=dict)
    methods: dict[str, MethodText] = field(default_factory=dict)
    errors: dict[str, Struct] = field(default_factory=dict)
    docs: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> InterfaceText:
    """The interface that the text describes.

    Raises:
        DahdiPyError: It is no varlink interface; the message names line and reason.
    """
    return _Parser(text).interface()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, int, str]] = []
        self._place = 0
        self._named: set[str] = set()
        self._scan()

    def _scan(self) -> None:
        """Tokens with their place, and the comment lines just before each."""
        at, comment = 0, ""
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise self._error(at, f"unexpected {self._text[at]!r}")
            if found["comment"] is not None:
                comment += found["comment"].removeprefix(" ") + "\n"
            elif found["space"] is not None:
                if "\n" in found["space"]:
                    comment = ""
            else:
                self._tokens.append((found[0], at, comment.rstrip("\n")))
                comment = ""
            at = found.end()

    def _error(self, at: int, why: str) -> DahdiPyError:
        line = self._text.count("\n", 0, at) + 1
        return DahdiPyError(f"not a varlink interface: line {line}: {why}", line=line)

    def _peek(self) -> str:
        return self._tokens[self._place][0] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise self._error(len(self._text), "the text ends too early")
        self._place += 1
        return token

    def _expect(self, wanted: str) -> None:
        at = self._tokens[self._place][1] if self._place < len(self._tokens) else len(self._text)
        token = self._next()
        if token != wanted:
            raise self._error(at, f"{token!r} where {wanted!r} should be")

    def _name(self, grammar: re.Pattern[str], what: str) -> str:
        at = self._tokens[self._place][1] if self._place < len(self._tokens) else len(self._text)
        token = self._next()
        if not grammar.fullmatch(token):
            raise self._error(at, f"{token!r} cannot name {what}")
        return token

    def interface(self) -> InterfaceText:
        doc = self._tokens[0][2] if self._tokens else ""
        self._expect("interface")
        result = InterfaceText(self._name(_INTERFACE, "an interface"), doc)
        while self._peek():
            self._member(result)
        if not result.docs:
            raise self._error(len(self._text), "an interface has at least one member")
        if missing := sorted(self._named - result.types.keys()):
            raise self._error(len(self._text), f"type {', '.join(missing)} is used and not declared")
        return result

    def _member(self, result: InterfaceText) -> None:
        _, at, doc = self._tokens[self._place]
        kind = self._next()
        if kind not in ("type", "method", "error"):
            raise self._error(at, f"{kind!r} where type, method or error should be")
        name = self._name(_TYPE_NAME, f"a {kind}")
        if name in result.docs:
            raise self._error(at, f"{name} is declared twice")
        result.docs[name] = doc
        if kind == "type":
            result.types[name] = self._struct_or_enum()
        elif kind == "error":
            result.errors[name] = self._struct()
        else:
            takes = self._struct()
            self._expect("->")
            result.methods[name] = MethodText(doc, takes, self._struct())

    def _struct(self) -> Struct:
        at = self._tokens[min(self._place, len(self._tokens) - 1)][1]
        found = self._struct_or_enum()
        if isinstance(found, Enum):
            raise self._error(at, "a list of words where members with types should be")
        return found

    def _struct_or_enum(self) -> Struct | Enum:
        self._expect("(")
        members: list[tuple[str, str]] = []
        words: list[str] = []
        while self._peek() != ")":
            if members or words:
                self._expect(",")
            at = self._tokens[min(self._place, len(self._tokens) - 1)][1]
            name = self._name(_MEMBER_NAME, "a member")
            if name in words or any(name == member for member, _ in members):
                raise self._error(at, f"member {name} is declared twice")
            if self._peek() == ":":
                self._next()
                members.append((name, self._type()))
            else:
                words.append(name)
            if members and words:
                raise self._error(at, "words and members with types in one list")
        self._expect(")")
        return Enum(tuple(words)) if words else Struct(tuple(members))

    def _type(self) -> str:
        prefix = ""
        while self._peek() in ("?", "[]", "[string]"):
            if self._peek() == "?" and prefix.endswith("?"):
                raise self._error(self._tokens[self._place][1], "optional twice")
            prefix += self._next()
        if self._peek() == "(":
            inner = self._struct_or_enum()
            if isinstance(inner, Enum):
                return f"{prefix}({', '.join(inner.members)})"
            return f"{prefix}({', '.join(f'{name}: {kind}' for name, kind in inner.members)})"
        if self._peek() in _PLAIN:
            return prefix + self._next()
        name = self._name(_TYPE_NAME, "a type")
        self._named.add(name)
        return prefix + name
