# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from dahdi_py.core.access import ROLES, implied
from dahdi_py.core.config import Access
from dahdi_py.daemon.api import access
from dahdi_py.errors import ConfigError, RoleMissing
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import alarms, calls, channels, events, groups, hosts, sim, spans
from dahdi_py.wire.messages import daemon as daemon_messages
from dahdi_py.wire.messages.daemon import Status
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import PATIENCE_S, DaemonProcess, eventually
from tests.daemon.scripted_host import ScriptedHost

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")

ASK = """
import json, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
for method, parameters in json.loads(sys.argv[2]):
    sock.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\\0")
    answer = b""
    while not answer.endswith(b"\\0"):
        answer += sock.recv(65536)
    print(answer[:-1].decode())
"""


Asked = tuple[str, dict[str, object]]


def ask_as_nobody(path: str, *asked: Asked) -> list[dict[str, object]]:
    """What another user of the machine gets."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", ASK, path, json.dumps(asked)], user=NOBODY, group=NOBODY, extra_groups=[],
        capture_output=True, text=True, check=True, timeout=PATIENCE_S, cwd="/",
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_view_socket_only_shows(daemon: DaemonProcess) -> None:
    with Connection(daemon.run / "view.sock") as viewer:
        assert viewer.call("org.dahdipy.Spans.List", Empty(), spans.SpanList).spans
        assert viewer.call("org.dahdipy.Daemon.Status", Empty(), Status).roles == ["view"]
        with pytest.raises(RoleMissing, match="control socket") as caught:
            viewer.call("org.dahdipy.Channels.Allocate", channels.AllocateRequest(group="both"), Empty)
        assert (caught.value.fields["role"], caught.value.fields["setting"]) == ("core", "access.core")


ROLE_OF = {
    "view": """
        Spans.List Spans.Get Spans.Performance Spans.Clock Channels.List Groups.List Groups.Get Calls.List Calls.Get
        Calls.History Alarms.List Alarms.History Events.Monitor Events.Position Hosts.List Daemon.Status Sim.Show
    """,
    "core": """
        Channels.Allocate Channels.AllocateSpan Channels.Open Channels.Release Channels.Reclaim Channels.Renew
        Channels.HandOver Channels.Bridge Channels.Counters Calls.Place Calls.Serve Calls.Claim Calls.Decline
        Calls.Alert Calls.Progress Calls.Answer Calls.Hangup Calls.SendOverlap Calls.SendKeypad
    """,
    "tech": """
        Sim.Cable Sim.Uncable Sim.Inject Sim.Mend Sim.Clock Sim.Level Sim.Loop Sim.FarEnd Sim.SendCode
    """,
    "operate": """
        Spans.LiftHoldDown Spans.Administer Channels.Administer Groups.Administer Alarms.Acknowledge Alarms.Clear
        Hosts.Administer Hosts.Drain Daemon.Audit Daemon.Stop
    """,
}
"""Written down once more by hand: a method that gives more than it should would agree with itself."""
ROLE_OF_METHOD = {f"org.dahdipy.{name}": role for role, names in ROLE_OF.items() for name in names.split()}
EVERY_METHOD = sorted(
    (
        f"{module.INTERFACE.name}.{method.name}"
        for module in (spans, channels, groups, calls, alarms, events, hosts, daemon_messages, sim)
        for method in module.INTERFACE.methods
    ),
    key=lambda name: name.endswith(".Stop"),
)


def test_every_method_has_a_role_written_down() -> None:
    assert ROLE_OF_METHOD.keys() == set(EVERY_METHOD)


@as_root
@pytest.mark.parametrize("socket_name", ["control.sock", "view.sock"])
@pytest.mark.parametrize("role", ["", *ROLES])
def test_every_role_may_call_exactly_its_methods(
    host: ScriptedHost, start_daemon: StartDaemon, role: str, socket_name: str
) -> None:
    daemon = start_daemon(access=f"{role} = [{NOBODY}]" if role else "")
    daemon.run.chmod(0o755)
    # Without its parameters a method that is allowed says what it needs, or does it; Stop comes last.
    asked: list[Asked] = [(name, {}) for name in EVERY_METHOD]
    answers = ask_as_nobody(str(daemon.run / socket_name), *asked)
    roles = implied(role) if role else frozenset()
    if socket_name == "view.sock":
        roles &= {"view"}
    allowed = {name for (name, _), answer in zip(asked, answers, strict=True)
               if answer.get("error") != "org.dahdipy.RoleMissing"}  # fmt: skip
    assert allowed == {name for name, needed in ROLE_OF_METHOD.items() if needed in roles}


@as_root
def test_a_stranger_may_nothing_and_is_told_which_setting(daemon: DaemonProcess) -> None:
    daemon.run.chmod(0o755)
    (seen,) = ask_as_nobody(str(daemon.socket), ("org.dahdipy.Spans.List", {}))
    assert seen["error"] == "org.dahdipy.RoleMissing"
    said = seen["parameters"]
    assert isinstance(said, dict)
    assert said["setting"] == "access.view"
    assert "uid 65534" in str(said["message"])


@as_root
def test_a_core_by_uid_may_carry_calls_but_not_stop_the_daemon(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(access=f"core = [{NOBODY}]")
    daemon.run.chmod(0o755)
    allocated, stopped = ask_as_nobody(
        str(daemon.socket),
        ("org.dahdipy.Channels.Allocate", {"group": "east", "open": False}),
        ("org.dahdipy.Daemon.Stop", {}),
    )
    assert "parameters" in allocated
    assert "error" not in allocated
    assert stopped["error"] == "org.dahdipy.RoleMissing"


@as_root
def test_another_users_token_is_good_for_nothing_until_it_is_handed_over(
    host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    """Tokens can be guessed, and every role may list them."""
    daemon = start_daemon(access=f"core = [{NOBODY}]")
    daemon.run.chmod(0o755)
    with daemon.client() as root:
        one, other = (root.allocate(span="east", open=False).token for _ in range(2))
        placed = root.place(token=root.allocate(span="east", open=False).token)
        shown: dict[str, object] = {"token": one}
        asked: list[Asked] = [
            *((f"org.dahdipy.Channels.{name}", shown) for name in ("Open", "Release", "Reclaim", "Counters")),
            ("org.dahdipy.Channels.Renew", {"token": one, "detach_s": 60}),
            ("org.dahdipy.Channels.HandOver", {"token": one, "within_s": 60}),
            ("org.dahdipy.Channels.Bridge", {"a": one, "b": other}),
            ("org.dahdipy.Calls.Place", {"called": {"number": "2001"}, "token": one}),
            ("org.dahdipy.Calls.Hangup", {"call": placed.call, "token": placed.token}),
        ]
        refused = ask_as_nobody(str(daemon.socket), *asked)
        assert [answer.get("error") for answer in refused] == ["org.dahdipy.NotOwner"] * len(asked)
        root.hand_over(one, 60)
        opened, mine = ask_as_nobody(str(daemon.socket), asked[0], asked[2])
        assert opened["error"] == "org.dahdipy.NotOwner"
        assert "error" not in mine


@as_root
def test_an_operator_clears_anybodys_call_by_its_token_but_an_emergency_call(
    host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(access=f"operate = [{NOBODY}]", calls='emergency = ["112"]')
    daemon.run.chmod(0o755)
    with daemon.client() as root:
        urgent, plain, other = (root.place(number, group="east") for number in ("112", "2001", "2002"))
        refused = ask_as_nobody(
            str(daemon.socket),
            ("org.dahdipy.Calls.Hangup", {"call": urgent.call, "token": urgent.token}),
            ("org.dahdipy.Channels.Release", {"token": urgent.token}),
            ("org.dahdipy.Channels.Renew", {"token": urgent.token, "detach_s": 1}),
        )
        assert [answer.get("error") for answer in refused] == ["org.dahdipy.WrongCallState"] * 3
        assert host.nothing_asked("Hangup")
        assert host.nothing_asked("Release")
        done = ask_as_nobody(
            str(daemon.socket),
            ("org.dahdipy.Calls.Hangup", {"call": plain.call, "token": plain.token}),
            ("org.dahdipy.Channels.Release", {"token": other.token}),
        )
        assert not any("error" in answer for answer in done)
        assert [host.asked(method).cleared_by for method in ("Hangup", "Release")] == ["operator", "operator"]
        root.release(urgent.token)
        assert host.asked("Release").cleared_by == "core"


@as_root
def test_kernel_descriptors_are_for_the_trusted(start_host: StartHost, start_daemon: StartDaemon) -> None:
    host = start_host(kernel=True)
    host.protocol = 1
    daemon = start_daemon(access=f"core = [{NOBODY}]")
    daemon.run.chmod(0o755)
    wants: Asked = ("org.dahdipy.Channels.Allocate", {"group": "east"})
    reserve: Asked = ("org.dahdipy.Channels.Allocate", {"group": "east", "open": False})
    with daemon.client() as root:
        token = root.allocate(span="east").token
        root.hand_over(token)
        shown: dict[str, object] = {"token": token}
        refused, reserved, _, opened = ask_as_nobody(
            str(daemon.socket), wants, reserve, ("org.dahdipy.Channels.Reclaim", shown),
            ("org.dahdipy.Channels.Open", shown),
        )  # fmt: skip
    assert "error" not in reserved
    for one in (refused, opened):
        assert one["error"] == "org.dahdipy.UntrustedMedia"
        assert "access.trusted_media" in str(one["parameters"])
    assert host.nothing_asked("Open")
    daemon.stop()
    daemon.config.write_text(daemon.config.read_text().replace("[access]", f"[access]\ntrusted_media = [{NOBODY}]"))
    daemon.start()
    (granted,) = ask_as_nobody(str(daemon.socket), wants)
    assert granted["fds"] == 1


@as_root
def test_who_is_not_trusted_gets_kernel_channels_relayed(start_host: StartHost, start_daemon: StartDaemon) -> None:
    host = start_host(kernel=True)
    daemon = start_daemon(access=f"core = [{NOBODY}]")
    daemon.run.chmod(0o755)
    with daemon.client() as root:
        token = root.allocate(span="east", open=True).token
        assert not host.asked("Reserve").relay
        root.hand_over(token)
        reserved, _, opened, span = ask_as_nobody(
            str(daemon.socket),
            ("org.dahdipy.Channels.Allocate", {"group": "east"}),
            ("org.dahdipy.Channels.Reclaim", {"token": token}),
            ("org.dahdipy.Channels.Open", {"token": token}),
            ("org.dahdipy.Channels.AllocateSpan", {"span": "east"}),
        )
    for one in (reserved, opened):
        assert one["fds"] == 1
        assert "socket" in str(one["parameters"])
    assert "error" not in span
    assert all(host.asked(method).relay for method in ("Reserve", "Open", "ReserveSpan"))


def test_names_become_numbers_and_unknown_ones_are_named() -> None:
    policy = access.policy(Access(core=["root", "7"], view=["@root", "@12"], trusted_media=["root"]))
    assert {0, 7} <= policy.users["core"]
    assert policy.groups["view"] == {0, 12}
    assert os.geteuid() in policy.users["operate"]
    for wrong, where in ((Access(core=["no-such-user"]), "access.core"), (Access(tech=["@no-such"]), "access.tech")):
        with pytest.raises(ConfigError, match=where):
            access.policy(wrong)


def test_bad_input_hurts_only_who_sends_it(daemon: DaemonProcess) -> None:
    with daemon.client() as good:
        lease = good.allocate(span="east")
        for rubbish in (
            b"\0", b"{}\0", b"[]\0", b'{"method":1}\0', b'{"method":"org.dahdipy.Spans.List","parameters":[]}\0',
            b'{"method":"org.dahdipy.Channels.Allocate","parameters":{"timeslot":"x"}}\0', b"\xff\xfe\0",
            b'{"method":"org.dahdipy.Nothing.Here"}\0', b'{"method":"' + b"a" * 70_000, b"{" * 5000 + b"\0",
            b'{"method":"org.dahdipy.Calls.Place","parameters":{"called":{"number":"1","digits":"2"}}}\0',
        ):  # fmt: skip
            with socket.socket(socket.AF_UNIX) as bad:
                bad.settimeout(PATIENCE_S)
                bad.connect(str(daemon.socket))
                bad.sendall(rubbish)
                assert b'"error"' in bad.recv(65536)
        eventually(lambda: good.status().clients == 1)
        good.release(lease.token)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("[[spans]]\nname = 1\n", "spans[0].name"),
        ("[service]\nsupervisr = 'daemon'\n", "did you mean 'supervisor'"),
        ("[[hosts]\n", "no TOML file"),
        ("[access]\ncore = ['no-such-user']\n", "no user 'no-such-user'"),
    ],
)
def test_a_wrong_configuration_is_one_line_with_file_and_place(daemon: DaemonProcess, lines: str, says: str) -> None:
    wrong = daemon.run / "wrong.toml"
    wrong.write_text(lines)
    command = [sys.executable, "-m", "dahdi_py.cli", "daemon", "run", "--config", str(wrong)]
    run = daemon.run / "other"
    done = subprocess.run(
        [*command, "--run-directory", str(run)], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode != 0
    assert says in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
