# SPDX-License-Identifier: GPL-2.0-or-later
"""The control daemon's process: places, sockets, the processes beside it, and its end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from dahdi_py.core import config, config_file
from dahdi_py.daemon.service import Service
from dahdi_py.errors import ConfigError, DahdiPyError
from dahdi_py.wire import places
from dahdi_py.wire.refusals import SocketBusy

LOG = logging.getLogger(__name__)

GC_THRESHOLDS = (5_000, 20, 20)
"""Collect seldom: requests make no cycles, and each collection looks at all that are under way. What clients leave when
they go is small."""

SYSTEM_CONFIG = Path("/etc/dahdi-py/config.toml")


def run(config_path: Path | None, run_directory: Path | None, embedded: bool = False) -> int:
    """The daemon has served until SIGTERM, SIGINT or `Daemon.Stop`; returns the exit code.

    Args:
        config_path: The configuration file; None for /etc/dahdi-py/config.toml.
        run_directory: RUN; None for the first place that may be made.
        embedded: A private service: its state is kept in RUN as well.

    Raises:
        ConfigError: The configuration is wrong or missing, or a place cannot be used.
        DahdiPyError: Another daemon serves RUN.
    """
    path, conf = load(config_path)
    run_at = _made(run_directory) if run_directory is not None else places.run_directory()
    state = _state(conf, run_at, embedded)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    # Each client takes a descriptor, and each channel on its way to one.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        return asyncio.run(_serve(conf, path, run_at, state))
    except SocketBusy as error:
        raise DahdiPyError(
            f"a control daemon serves {run_at} already: process {error.fields.get('pid') or 'unknown'}"
        ) from None


def load(path: Path | None) -> tuple[Path, config.Config]:
    """The file that is used, and what it says, checked.

    Raises:
        ConfigError: There is none, or it is wrong: the message names file, place and what would be right.
    """
    chosen = path or SYSTEM_CONFIG
    if path is None and not chosen.exists():
        raise ConfigError(
            f"there is no {chosen}: write one, name another with --config, or try `dahdi-py run --embedded`",
            where=str(chosen),
        )
    try:
        return chosen.absolute(), config_file.parse(tomllib.loads(chosen.read_text()))
    except OSError as error:
        raise ConfigError(f"cannot read {chosen}: {error.strerror}", where=str(chosen)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{chosen} is no TOML file: {error}", where=str(chosen)) from None
    except ConfigError as error:
        raise ConfigError(f"{chosen}: {error.message}", **error.fields) from None


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make {directory}: {error.strerror}", where="--run-directory") from None
    return directory.absolute()


def _state(conf: config.Config, run_at: Path, private: bool) -> Path:
    if conf.service.state:
        return Path(conf.service.state)
    return run_at / "state" if private else places.state_directory(run_at)


async def _serve(conf: config.Config, path: Path, run_at: Path, state: Path) -> int:
    loop = asyncio.get_running_loop()
    service = Service(loop, conf, path, run_at, state, command_for(path, run_at))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop, False)
    # What the start made stays: collecting it again and again would cost each allocation its share.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    await service.run()
    return 0


def command_for(config_path: Path, run_at: Path) -> Callable[[Sequence[str]], list[str]]:
    """How the daemon starts other processes of the service: the same interpreter, configuration and RUN."""
    places_of = ["--config", str(config_path), "--run-directory", str(run_at)]
    os.environ.setdefault(places.SOCKET_VARIABLE, str(places.control_socket(run_at)))
    return lambda words: [sys.executable, "-m", "dahdi_py.cli", *words, *places_of]
