# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers and bearers between Q.931's codes and the wire's words; what has no word stays printable."""

from __future__ import annotations

from collections.abc import Mapping

from dahdi_py.core.terms import Law
from dahdi_py.ffi.libpri_events import Number
from dahdi_py.wire.messages.common import NUMBER_DIGITS, Bearer, Party
from dahdi_py.wire.refusals import InvalidParameter

NAME_CHARACTERS = 49

# Source: Q.931 table 4-9 (plan and type), table 4-11 (presentation and screening), 4.5.5 (bearer).
_PLANS = {0: "unknown", 1: "isdn", 3: "data", 4: "telex", 8: "national", 9: "private"}
_TYPES = {
    0: "unknown", 1: "international", 2: "national", 3: "network_specific", 4: "subscriber", 6: "abbreviated",
}  # fmt: skip
_PRESENTATIONS = {0: "allowed", 1: "restricted", 2: "unavailable"}
_SCREENINGS = {0: "unscreened", 1: "passed", 2: "failed", 3: "network"}
_CAPABILITIES = {
    0x00: "speech", 0x08: "unrestricted_digital", 0x09: "restricted_digital", 0x10: "audio_3k1", 0x18: "video",
}  # fmt: skip
_LAYER1 = {0x22: "mulaw", 0x23: "alaw"}
_LAYER1_CODES = {Law.MULAW: 0x22, Law.ALAW: 0x23}
_VOICE = frozenset({"speech", "audio_3k1"})
_DEFAULT_PRESENTATION = 0

NOBODY = Party()


def _codes(words: Mapping[int, str]) -> dict[str, int]:
    return {word: code for code, word in words.items()}


_PLAN_CODES, _TYPE_CODES = _codes(_PLANS), _codes(_TYPES)
_PRESENTATION_CODES, _SCREENING_CODES = _codes(_PRESENTATIONS), _codes(_SCREENINGS)
_CAPABILITY_CODES = _codes(_CAPABILITIES)


def _word(words: Mapping[int, str], code: int) -> str:
    return words.get(code) or f"unknown({code})"


def _code(codes: Mapping[str, int], word: str, what: str) -> int:
    code = codes.get(word)
    if code is None:
        raise InvalidParameter(f"{what}: {word!r}; expected {', '.join(codes)}", parameter=what)
    return code


def party_of(number: Number | None, name: str = "") -> Party:
    """The party a message named."""
    if number is None:
        return Party(name=name) if name else NOBODY
    return Party(
        number=number.digits,
        plan=_word(_PLANS, number.plan),
        type=_word(_TYPES, number.type),
        presentation=_word(_PRESENTATIONS, number.presentation or _DEFAULT_PRESENTATION),
        screening=_word(_SCREENINGS, number.screening or 0),
        name=name,
    )


def number_of(party: Party, what: str, *, presented: bool) -> Number | None:
    """The party's number as Q.931 codes it; None when it has none.

    Args:
        presented: The element has an octet 3a (calling and redirecting numbers do).

    Raises:
        InvalidParameter: A word is none of Q.931's, or the number or name is too long.
    """
    if len(party.number) > NUMBER_DIGITS or not party.number.isascii() or not party.number.isprintable():
        message = f"{what}.number: at most {NUMBER_DIGITS} digits of IA5 text"
        raise InvalidParameter(message, parameter=f"{what}.number")
    if len(party.name) > NAME_CHARACTERS:
        raise InvalidParameter(f"{what}.name: at most {NAME_CHARACTERS} characters", parameter=f"{what}.name")
    plan = _code(_PLAN_CODES, party.plan, f"{what}.plan")
    kind = _code(_TYPE_CODES, party.type, f"{what}.type")
    presentation = _code(_PRESENTATION_CODES, party.presentation, f"{what}.presentation")
    screening = _code(_SCREENING_CODES, party.screening, f"{what}.screening")
    if not party.number and presentation == _DEFAULT_PRESENTATION:
        return None
    if not presented:
        return Number(party.number, plan, kind)
    return Number(party.number, plan, kind, presentation, screening)


def bearer_of(capability: int | None, layer1: int | None) -> Bearer:
    """The bearer a SETUP asked for."""
    word = _word(_CAPABILITIES, capability or 0)
    return Bearer(capability=word, layer1=_LAYER1.get(layer1 or 0, "") if word in _VOICE else "")


def bearer_codes(bearer: Bearer, law: Law) -> tuple[int, int, Bearer]:
    """Information transfer capability and user information layer 1, and the bearer as it really goes out.

    Args:
        law: The span's, for a voice bearer that names none.

    Raises:
        InvalidParameter: A word is none of Q.931's.
    """
    capability = _code(_CAPABILITY_CODES, bearer.capability, "bearer.capability")
    if bearer.capability not in _VOICE:
        return capability, 0, Bearer(capability=bearer.capability)
    laws = {str(each): each for each in Law}
    if bearer.layer1 and bearer.layer1 not in laws:
        message = f"bearer.layer1: {bearer.layer1!r}; expected {', '.join(laws)}"
        raise InvalidParameter(message, parameter="bearer.layer1")
    used = laws[bearer.layer1] if bearer.layer1 else law
    return capability, _LAYER1_CODES[used], Bearer(capability=bearer.capability, layer1=str(used))
