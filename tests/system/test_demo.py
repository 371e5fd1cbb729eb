# SPDX-License-Identifier: GPL-2.0-or-later
"""What a newcomer does first, from beginning to end: the demo, and the service in the foreground."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.daemon.process import eventually
from tests.system.foreground import COMMAND, ECHO_CORE, ROOT, Foreground, environment, foreground


def left_behind(directory: Path) -> list[str]:
    """Processes of a service in that directory, and files in it."""
    return [*processes(directory), *(str(path) for path in directory.rglob("*"))]


def processes(directory: Path) -> list[str]:
    """Processes that name the directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(directory) in command:
            found.append(f"{entry.name}: {command}")
    return found


def test_the_demo_carries_calls_over_e1_and_t1_and_leaves_nothing(run_dir: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo"], env=environment(run_dir), capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("complete and in order") == 3
    raised, over = done.stdout.partition("The cable was out for 5 s.")[::2]
    assert re.search(r"span e1-user +RED/LOS ", raised), raised
    assert re.search(r"span e1-network +RED/LOS ", raised), raised
    assert over.count("no alarms") == 1
    assert done.stdout.count("cause 16 normal call clearing") == 2
    for name in ("SETUP", "CONNECT", "DISCONNECT", "RELEASE"):
        assert len(re.findall(rf"(?:sent|received) +{name}(?:  |$)", done.stdout, re.MULTILINE)) >= 2, name
    assert left_behind(run_dir) == []


def test_the_demo_gives_one_json_document(run_dir: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--json"], env=environment(run_dir), capture_output=True, text=True, check=True, timeout=100
    )
    told = json.loads(done.stdout)
    assert [span["type"] for span in told["spans"]] == ["E1", "E1", "T1", "T1"]
    assert [record["span"] for record in told["records"]] == ["e1-user", "t1-user"]
    over, plain = (record["duration_s"] for record in told["records"])
    assert over > max(5, plain), "the first call was up while the cable was out"
    assert {alarm["subject"] for alarm in told["alarms"]} == {"e1-user", "e1-network"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_whole_service_with_a_call_up(number: signal.Signals, run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        placed = service.command("calls", "place", "2001", "--span", "1", "--detach", "5m")
        assert placed.returncode == 0, placed.stderr
        service.wait_until("answered")
        assert service.stop(number) == 0
    assert left_behind(run_dir) == []


def test_a_killed_daemon_is_told_and_nothing_is_left(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded") as service:
        status = json.loads(service.command("daemon", "status", "--json").stdout)
        os.kill(status["pid"], signal.SIGKILL)
        service.wait_until("the control daemon ended (killed by SIGKILL)")
        assert service.process.wait(60) == 1
    assert left_behind(run_dir) == []


def test_a_killed_supervisor_leaves_no_process(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded") as service:
        run = service.socket.parent
        service.process.kill()
        service.process.wait()
        limit = time.monotonic() + 60
        while (run.exists() or processes(run_dir)) and time.monotonic() < limit:
            time.sleep(0.05)
        assert processes(run_dir) == []
        assert not run.exists()


def test_a_configuration_that_is_wrong_is_told_with_its_place(run_dir: Path) -> None:
    wrong = run_dir / "wrong.toml"
    wrong.write_text((ROOT / "dahdi_py/embedded.toml").read_text().replace('"ccs"', '"esf"', 1))
    done = subprocess.run(
        [*COMMAND, "run", "--config", str(wrong)],
        env=environment(run_dir), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "spans[0].framing: esf is not a framing of E1; expected cas or ccs" in done.stderr
    assert "Traceback" not in done.stderr
    wrong.unlink()
    assert left_behind(run_dir) == []


def test_a_core_that_ends_is_told_and_the_service_goes_on(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", "false") as service:
        service.wait_until("the core ended (exit code 1); the service goes on without one")
        assert service.command().returncode == 0


def test_every_list_has_a_table_and_a_document(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        for words in (
            [], ["spans"], ["spans", "1"], ["channels"], ["channels", "show", "1", "5"],
            ["groups"], ["groups", "show", "e1-user"], ["calls"], ["calls", "history"], ["alarms"], ["hosts"],
            ["daemon", "status"], ["daemon", "audit"], ["api", "introspect"], ["api", "introspect", "Calls"],
            ["api", "call", "Spans.List"],
        ):  # fmt: skip
            table = service.command(*words)
            assert table.returncode == 0, f"{words}: {table.stderr}"
            assert table.stdout.strip()
            assert "\x1b" not in table.stdout, "a pipe gets no colour"
            json.loads(service.command(*words, "--json").stdout)
        exit_codes(service)


def exit_codes(service: Foreground) -> None:
    for words, code in (
        (["spans", "show", "9"], 3), (["channels", "show", "1", "16"], 3), (["groups", "show", "none"], 3),
        (["calls", "show", "none"], 3), (["calls", "hangup", "none"], 3), (["calls", "history", "none"], 3),
        (["hosts", "drain", "none", "--reason", "x"], 3), (["calls", "place", "2001", "--span", "9"], 3),
    ):  # fmt: skip
        done = service.command(*words)
        assert done.returncode == code, f"{words}: {done.returncode} {done.stderr}"
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("dahdi-py: ")


def test_a_call_in_the_foreground_ends_with_ctrl_c(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        call = subprocess.Popen(
            [*COMMAND, "calls", "place", "2001", "--span", "1", "--from", "1000"],
            env=service.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        service.wait_until("answered 1000 on e1-network")
        assert call.stdout is not None
        stages = [call.stdout.readline().split()[1] for _ in range(3)]
        call.send_signal(signal.SIGINT)
        rest, messages = call.communicate(timeout=60)
        assert call.returncode == 0, messages
        assert stages == ["proceeding", "ringing", "answered"]
        assert "ended: cause 16 normal call clearing" in rest
        assert "hanging up" in messages


def test_a_call_to_nobody_says_so_in_words_and_code(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        nobody = service.command("calls", "place", "3999", "--group", "t1-user")
        assert nobody.returncode == 1
        assert "cause 1 unallocated" in nobody.stdout
        lines = service.command("calls", "place", "3999", "--group", "t1-user", "--json").stdout.splitlines()
        assert [json.loads(lines[0])["kind"], json.loads(lines[-1])["kind"]] == ["placed", "call.ended"]


def test_a_detached_call_is_hung_up_in_time(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        placed = service.command("calls", "place", "2001", "--span", "1", "--detach", "2s")
        call = placed.stdout.strip()
        service.wait_until("ended: normal call clearing")
        eventually(lambda: service.command("calls").stdout == "no calls\n")
        # The disk has it a moment after the list.
        eventually(lambda: "cause 16 normal call clearing" in service.command("calls", "history", call).stdout)
