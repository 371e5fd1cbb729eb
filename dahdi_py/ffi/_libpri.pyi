# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the compiled module that Python uses; libpri's own functions are bound beside it (libpri.cdef.txt)."""

from typing import Any

class _FFI:
    NULL: Any
    CData: type[Any]
    def gc(self, cdata: Any, destructor: Any) -> Any: ...
    def new(self, declaration: str, init: Any = ...) -> Any: ...
    def string(self, cdata: Any, maxlen: int = ...) -> bytes: ...
    def buffer(self, cdata: Any, size: int = ...) -> Any: ...
    def unpack(self, cdata: Any, length: int) -> Any: ...

class _Lib:
    EVENT_DCHANNEL_UP: int
    EVENT_DCHANNEL_DOWN: int
    EVENT_LINK_RESET: int
    EVENT_CONFIG_ERROR: int
    EVENT_RING: int
    EVENT_SETUP_ACK: int
    EVENT_PROCEEDING: int
    EVENT_ALERTING: int
    EVENT_PROGRESS: int
    EVENT_ANSWERED: int
    EVENT_CONNECT_ACK: int
    EVENT_DIGITS: int
    EVENT_KEYPAD_DIGITS: int
    EVENT_HANGUP_REQUEST: int
    EVENT_ENDED: int
    EVENT_RESTART: int
    EVENT_RESTART_ACK: int
    EVENT_SERVICE: int
    EVENT_SERVICE_ACK: int
    EVENT_NOTIFY: int
    EVENT_FACILITY: int
    EVENT_COMMAND_FAILED: int
    EVENT_GONE: int
    EVENT_DEVICE_EVENT_PENDING: int
    EVENT_CLOCK_STEP: int
    EVENT_FRAME: int
    EVENT_ERROR: int
    FIELD_CALLED: int
    FIELD_CALLING: int
    FIELD_CALLING_NAME: int
    FIELD_ANI: int
    FIELD_REDIRECTING: int
    FIELD_REDIRECTING_NAME: int
    FIELD_ORIGINAL_CALLED: int
    FIELD_ORIGINAL_CALLED_NAME: int
    FIELD_CALLED_SUBADDRESS: int
    FIELD_CALLING_SUBADDRESS: int
    FIELD_CONNECTED: int
    FIELD_CONNECTED_NAME: int
    FIELD_DISPLAY: int
    FIELD_KEYPAD: int
    FIELD_USER_USER: int
    FIELD_DIGITS: int
    FIELD_TEXT: int
    COMMAND_SETUP: int
    COMMAND_SETUP_ACK: int
    COMMAND_PROCEEDING: int
    COMMAND_ALERTING: int
    COMMAND_PROGRESS: int
    COMMAND_ANSWER: int
    COMMAND_CONNECT_ACK: int
    COMMAND_HANGUP: int
    COMMAND_INFORMATION: int
    COMMAND_KEYPAD: int
    COMMAND_NOTIFY: int
    COMMAND_DESTROY: int
    COMMAND_RESTART: int
    COMMAND_SERVICE: int
    FAILED_STALE_HANDLE: int
    FAILED_HANDLE_IN_USE: int
    FAILED_WRONG_STATE: int
    FAILED_DCHANNEL_DOWN: int
    FAILED_CONGESTED: int
    FAILED_NO_DCHANNEL: int
    FAILED_MALFORMED: int
    FAILED_BY_LIBPRI: int
    SETUP_EXCLUSIVE: int
    SETUP_COMPLETE: int
    SETUP_NOT_ISDN: int
    SETUP_REVERSE_CHARGE: int
    FRAME_OCTETS: int
    MOMENTS_MAX: int
    PRI_NETWORK: int
    PRI_CPE: int
    PRI_SWITCH_NI2: int
    PRI_SWITCH_NI1: int
    PRI_SWITCH_DMS100: int
    PRI_SWITCH_ATT4ESS: int
    PRI_SWITCH_LUCENT5E: int
    PRI_SWITCH_EUROISDN_E1: int
    PRI_SWITCH_QSIG: int
    def clock_is_wrapped(self) -> int: ...
    def pri_get_version(self) -> Any: ...
    def pump_new(self, virtual_time: bool) -> Any: ...
    def pump_free(self, pump: Any) -> None: ...
    def pump_fd(self, pump: Any) -> int: ...
    def pump_add(self, pump: Any, fd: int, node: int, switch_type: int, service_messages: bool) -> int: ...
    def pump_attach(self, pump: Any, number: int, fd: int) -> int: ...
    def pump_kick(self, pump: Any, number: int) -> int: ...
    def pump_join(self, pump: Any, one: int, other: int) -> int: ...
    def pump_part(self, pump: Any, number: int) -> int: ...
    def pump_tap(self, pump: Any, number: int, on: bool) -> int: ...
    def pump_inject(self, pump: Any, number: int, octets: bytes, length: int) -> int: ...
    def pump_take_sent(self, pump: Any, number: int, octets: Any) -> int: ...
    def pump_set_timer(self, pump: Any, number: int, name: bytes, value: int) -> int: ...
    def pump_link_up(self, pump: Any, number: int) -> int: ...
    def pump_info(self, pump: Any, number: int) -> Any: ...
    def pump_info_free(self, text: Any) -> None: ...
    def pump_counters(self, pump: Any, number: int) -> Any: ...
    def pump_counter_name(self, index: int) -> Any: ...
    def pump_errors_suppressed(self, pump: Any) -> int: ...
    def pump_turn(self, pump: Any, commands: bytes, length: int) -> int: ...
    def pump_events(self, pump: Any) -> Any: ...
    def pump_deadline(self, pump: Any) -> int: ...
    def pump_now(self, pump: Any) -> int: ...
    def pump_set_now(self, pump: Any, ns: int) -> None: ...
    def pump_timeline(self, pump: Any, handle: int, moments: Any) -> int: ...

ffi: _FFI
lib: _Lib
