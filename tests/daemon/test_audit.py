# SPDX-License-Identifier: GPL-2.0-or-later
"""Who did what is on record: allocations, refusals, forced actions."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from dahdi_py.errors import DahdiPyError, NotFound, StaleToken
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages import spans
from dahdi_py.wire.messages.channels import AllocateReply, AllocateRequest
from dahdi_py.wire.messages.common import AdministerReply
from dahdi_py.wire.messages.daemon import AuditEntry, AuditReply, AuditRequest, StopRequest
from dahdi_py.wire.refusals import InvalidParameter
from tests.daemon.conftest import StartDaemon
from tests.daemon.process import PATIENCE_S, Client, DaemonProcess, Pipeline, eventually
from tests.daemon.scripted_host import ScriptedHost
from tests.daemon.test_access import NOBODY, as_root, ask_as_nobody


def audit(client: Client, **wants: Any) -> list[AuditEntry]:
    return client.call("org.dahdipy.Daemon.Audit", AuditRequest(**wants), AuditReply).entries


def test_allocations_calls_and_refusals_are_on_record(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as client:
        lease = client.allocate(span="east", label="pbx")
        placed = client.place(group="east")
        with pytest.raises(NotFound):
            client.allocate(span="nroth")
        with pytest.raises(StaleToken):
            client.release("a/1/999")
        client.hangup(placed.call)
        entries = eventually(lambda: found if len(found := audit(client)) == 4 else [])
        assert [(one.action, one.subject, one.outcome) for one in entries] == [
            ("release", "a/1/999", "org.dahdipy.StaleToken"), ("allocate", "nroth", "org.dahdipy.NotFound"),
            ("place", placed.token, "ok"), ("allocate", lease.token, "ok"),
        ]  # fmt: skip
        assert {(one.pid, one.uid) for one in entries} == {(os.getpid(), os.getuid())}
        assert entries[-1].label == "pbx"
        assert "no span 'nroth'" in entries[1].reason
        assert [one.action for one in audit(client, refused=True)] == ["release", "allocate"]
        assert [one.subject for one in audit(client, action="place")] == [placed.token]
        assert audit(client, uid=os.getuid() + 1) == []
        assert len(audit(client, limit=2)) == 2
        with pytest.raises(InvalidParameter, match="expected 1-1000"):
            audit(client, limit=0)


def test_forced_actions_say_who_and_why_also_after_a_restart(daemon: DaemonProcess, host: ScriptedHost) -> None:
    host.answers["Administer"] = lambda asked: wire.AdministerReply(far_end="alternate", busy=0)
    with daemon.client() as core, daemon.client() as operator:
        placed = core.place(group="east")
        operator.hangup(placed.call, force=True)
        request = spans.AdministerRequest(span="east", state="shutting_down", reason="works")
        operator.call("org.dahdipy.Spans.Administer", request, AdministerReply)
        operator.call("org.dahdipy.Daemon.Stop", StopRequest(), Empty)
    assert daemon.process is not None
    daemon.process.wait(PATIENCE_S)
    daemon.start()
    with daemon.client() as client:
        entries = audit(client)
        assert [(one.action, one.subject, one.reason) for one in entries][:3] == [
            ("stop", "", ""), ("administer", "east", "shutting_down: works"), ("force_hangup", placed.call, "")
        ]  # fmt: skip


def test_every_way_to_a_channel_or_a_call_is_on_record(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as core, daemon.client() as serving:
        for one in core.allocate_span("east").leases:
            core.release(one.token)
        lease = core.allocate(span="east", timeslot=9)
        core.hand_over(lease.token)
        serving.reclaim(lease.token)
        offers = serving.serve()
        host.offer("in-1", "east", "2001")
        assert next(offers).offer is not None
        core.claim("in-1")
        entries = eventually(lambda: found if len(found := audit(core)) == 5 else [])
        assert [(one.action, one.outcome) for one in reversed(entries)] == [
            (action, "ok") for action in ("allocate_span", "allocate", "hand_over", "reclaim", "claim")
        ]


@as_root
def test_whoever_uses_another_users_lease_is_on_record(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(access=f"operate = [{NOBODY}]")
    daemon.run.chmod(0o755)
    with daemon.client() as root:
        one, other = (root.allocate(span="east").token for _ in range(2))
        root.release(root.allocate(span="east").token)
        answers = ask_as_nobody(
            str(daemon.socket),
            ("org.dahdipy.Channels.Open", {"token": one}),
            ("org.dahdipy.Channels.Bridge", {"a": one, "b": other}),
            ("org.dahdipy.Channels.Release", {"token": other}),
        )
        assert not any("error" in answer for answer in answers)
        entries = eventually(lambda: found if len(found := audit(root, uid=NOBODY)) == 3 else [])
        assert [(one.action, one.subject, one.outcome) for one in reversed(entries)] == [
            ("open", one, "ok"), ("bridge", one, "ok"), ("release", other, "ok")
        ]  # fmt: skip
        assert {one.reason for one in entries} == {"lease of root (uid 0)"}
        assert {one.action for one in audit(root, uid=0)} == {"allocate"}


def test_refusals_alike_are_counted_not_repeated(daemon: DaemonProcess) -> None:
    with daemon.client() as client, Pipeline(daemon.socket) as other:
        # All at once: one by one they might take longer than what counts as alike.
        other.begin("org.dahdipy.Channels.Allocate", *50 * [AllocateRequest(span="nroth")])
        for _ in range(50):
            with pytest.raises(NotFound):
                other.answer(AllocateReply)
        last, first = eventually(lambda: found if len(found := audit(client)) == 2 else [])
        assert "no span 'nroth'" in first.reason
        assert last.reason.endswith("(49 more like it within 1 s)")


def test_a_missing_role_is_on_record(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can be another user")
    daemon = start_daemon()
    program = (
        "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from dahdi_py.wire.blocking import Connection\n"
        "from dahdi_py.wire.interface import Empty\n"
        f"Connection({str(daemon.socket)!r}).call('org.dahdipy.Spans.List', Empty(), Empty)\n"
    )
    os.chmod(daemon.run, 0o755)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "RoleMissing" in done.stderr, done.stderr
    with daemon.client() as client:
        (entry,) = eventually(lambda: audit(client, refused=True))
        assert (entry.uid, entry.action, entry.outcome) == (65534, "list", "org.dahdipy.RoleMissing")
        assert entry.subject == "Spans.List"


@pytest.mark.parametrize("service", ["journal = false", "audit = false"])
def test_what_keeps_no_audit_says_so(host: ScriptedHost, start_daemon: StartDaemon, service: str) -> None:
    with start_daemon(service=service).client() as client:
        client.allocate(span="east")
        with pytest.raises(DahdiPyError, match=r"no audit is kept: service\.journal or service\.audit is off"):
            audit(client)
