# SPDX-License-Identifier: GPL-2.0-or-later
"""What an interface is: its methods, with the types of what they take and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class _Message(msgspec.StructMeta):
    """Makes every message type frozen and its fields keyword-only, which msgspec does not inherit."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        config = {"frozen": True, "kw_only": True} | config
        return super().__new__(mcls, name, bases, namespace, **config)


class Request(msgspec.Struct, metaclass=_Message, forbid_unknown_fields=True, omit_defaults=True):
    """What a method takes; an unknown field is refused. Synchronization: none required (frozen)."""


class Record(msgspec.Struct, metaclass=_Message):
    """What a method gives, or a part of it; fields of later versions are ignored. Synchronization: none required."""


class Empty(Request):
    """No parameters, or nothing in reply."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of an interface.

    Attributes:
        role: What the caller must be: view, core, tech or operate.
        stream: The caller says `more` and gets replies until it closes.
        fds: Replies may carry descriptors.
    """

    name: str
    params: type[msgspec.Struct]
    reply: type[msgspec.Struct]
    role: str = "view"
    stream: bool = False
    fds: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """A named set of methods, described by its `.varlink` file."""

    name: str
    doc: str
    methods: tuple[Method, ...]
