"""Starts the emulator; finds and stops it, everything that it started, and the partner simulator.

There is no pid file that could become stale. The emulator is found by its command line, which names the stack's directory.
Functions and the simulator are found by their programs, which are inside that directory. So processes that survived a
SIGKILL of their parent are found too, and other people's processes are never mistaken for the stack's.
"""

from __future__ import annotations

import http.client
import os
import shutil
import urllib.request
from pathlib import Path

import psutil

from . import processes, simulator
from .console import Failure, step
from .settings import LOOPBACK, REGION, REPOSITORY, VIRTUALENV, Settings
from .virtualenv import python_of

MODULE = "infra.local.emulator"
START_WITHIN_S = 60.0
HEALTH = "/_ministack/health"
# The functions inherit only these variables, none of which could lead to AWS or a proxy.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


def start(settings: Settings) -> None:
    """Starts the emulator and waits until it answers."""
    if not processes.is_free(settings.port):
        raise Failure(
            f"Port {settings.port} is in use by {processes.listener(settings.port)}.",
            f"Stop that process, or choose another port: PORT={processes.free_port()}",
        )
    for directory in (settings.logs, settings.scratch):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    arguments = [str(settings.directory), str(settings.port), settings.stack_name]
    with step(f"Starting the local AWS on {settings.endpoint}"):
        processes.start(
            "local AWS",
            [str(python_of(VIRTUALENV)), "-m", MODULE, *arguments],
            settings.emulator_log,
            lambda: _is_healthy(settings),
            START_WITHIN_S,
            cwd=REPOSITORY,
            env=_environment(settings),
        )


def missing(settings: Settings) -> tuple[str, Path] | None:
    """Returns the first part of the stack that does not run, and its log; None if every part runs."""
    ours = _ours(settings)
    if not any(_is_emulator(process, settings) for process in ours) or not _is_healthy(settings):
        return "local AWS", settings.emulator_log
    if not any(_is_simulator(process, settings) for process in ours):
        return "partner simulator", settings.partner_simulator_log
    return None


def stop(settings: Settings) -> bool:
    """Stops every process of the stack. Returns False if none was running."""
    if not _ours(settings):
        return False

    def ends_by_itself(process: psutil.Process) -> bool:
        # The emulator ends its functions.
        return _is_emulator(process, settings) or _is_simulator(process, settings)

    with step("Stopping the local AWS, its functions and the partner simulator"):
        left = processes.end(lambda: _ours(settings), ends_by_itself)
    if left:
        raise Failure(
            f"Could not stop {', '.join(map(processes.describe, left))}.",
            f"End them by hand: kill -9 {' '.join(str(process.pid) for process in left)}",
        )
    return True


def _ours(settings: Settings) -> list[psutil.Process]:
    programs = f"{settings.scratch}{os.sep}"
    return [
        process
        for process in psutil.process_iter()
        if processes.command_of(process).startswith(programs) or _is_emulator(process, settings)
    ]


def _is_emulator(process: psutil.Process, settings: Settings) -> bool:
    return f" {MODULE} {settings.directory} " in processes.command_of(process)


def _is_simulator(process: psutil.Process, settings: Settings) -> bool:
    return processes.command_of(process) == simulator.command(settings)


def _environment(settings: Settings) -> dict[str, str]:
    """Returns the environment of the emulator, which its functions inherit."""
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        **settings.client_environment(),
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_REGION": REGION,
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": LOOPBACK,
        # This is the emulator's log level. The functions have no levels.
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",
        "TMPDIR": str(settings.scratch),
        "PYTHONUNBUFFERED": "1",
        "RUST_BACKTRACE": "1",
    }


def _is_healthy(settings: Settings) -> bool:
    try:
        with urllib.request.urlopen(f"{settings.endpoint}{HEALTH}", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False
