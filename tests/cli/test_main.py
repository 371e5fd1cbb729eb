# SPDX-License-Identifier: GPL-2.0-or-later
"""The command as a process, where no daemon is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dahdi_py.cli.main import cli

HEAVY = ("rich", "asyncio", "cffi", "sqlite3", "dahdi_py.daemon", "dahdi_py.linehost", "dahdi_py.ffi", "click.testing")


def dahdi_py(*arguments: str, run_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, with nothing of this machine's services in reach."""
    return subprocess.run(
        [sys.executable, "-m", "dahdi_py.cli", *arguments],
        env={**os.environ, "DAHDI_PY_SOCKET": str(run_dir / "control.sock"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def every_command(group: click.Group = cli, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += every_command(command, (*path, name))
    return found


@pytest.mark.parametrize("arguments", [[], ["spans"], ["calls", "history"], ["--json", "spans"], ["spans", "watch"]])
def test_without_a_daemon_one_line_says_so_and_how_to_start_it(arguments: list[str], run_dir: Path) -> None:
    done = dahdi_py(*arguments, run_dir=run_dir)
    assert done.returncode == 6
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert str(run_dir / "control.sock") in done.stderr
    assert "`dahdi-py daemon`" in done.stderr
    assert "dahdi-py run --embedded" in done.stderr


def test_the_daemon_without_a_configuration_names_the_way_out(run_dir: Path) -> None:
    done = dahdi_py("daemon", "--config", str(run_dir / "none.toml"), run_dir=run_dir)
    assert done.returncode == 1
    assert "none.toml" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["spam"], "No such command 'spam'"),
        (["spans", "shwo"], "No such command 'shwo'"),
        (["calls", "place", "2001"], "either --span or --group"),
        (["calls", "place", "2001", "--span", "1", "--group", "x"], "either --span or --group"),
        (["calls", "place", "2001", "--span", "1", "--detach", "soon"], "is not a time"),
        (["calls", "hangup", "c", "--cause", "128"], "128 is not in the range"),
        (["api", "call", "Spans.List", "[1]"], "a JSON object is needed"),
        (["api", "call", "Spans.List", "{"], "not JSON"),
        (["api", "monitor", "--after", "yesterday"], "EPOCH:N"),
        (["run"], "either --embedded or --config FILE"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_wrong_usage_is_told_with_what_would_be_right(arguments: list[str], said: str, run_dir: Path) -> None:
    done = dahdi_py(*arguments, run_dir=run_dir)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_every_command_explains_itself_and_takes_json(path: tuple[str, ...], run_dir: Path) -> None:
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    assert command.get_short_help_str(), "a command without help"
    assert {"json", "socket"} <= {param.name for param in command.params}


def test_help_names_every_noun(run_dir: Path) -> None:
    done = dahdi_py("--help", run_dir=run_dir)
    assert done.returncode == 0
    for noun in ("spans", "channels", "groups", "calls", "alarms", "hosts", "daemon", "api", "run", "demo"):
        assert f"\n  {noun} " in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_script(shell: str, run_dir: Path) -> None:
    done = dahdi_py("completion", shell, run_dir=run_dir)
    assert done.returncode == 0
    assert f"{shell}_complete" in done.stdout


def test_a_shell_completes_verbs_without_a_daemon(run_dir: Path) -> None:
    done = dahdi_py(run_dir=run_dir, _DAHDI_PY_COMPLETE="bash_complete", COMP_WORDS="dahdi-py spans s", COMP_CWORD="2")
    assert done.stdout == "plain,show\n"
    names = dahdi_py(
        run_dir=run_dir, _DAHDI_PY_COMPLETE="bash_complete", COMP_WORDS="dahdi-py spans show ", COMP_CWORD="3"
    )
    assert (names.returncode, names.stdout.strip(), names.stderr) == (0, "", "")


def _uncounted() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}


def test_asking_for_spans_loads_nothing_heavy(run_dir: Path) -> None:
    program = (
        "import sys; from dahdi_py.cli.main import run; run(['spans']); "
        f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        # Counting branches loads sqlite3 by itself.
        env={**_uncounted(), "DAHDI_PY_SOCKET": str(run_dir / "control.sock")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
