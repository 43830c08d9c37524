"""Starts the emulator; finds and stops it, everything it started, and the partner simulator.

There is no pid file to go stale: the emulator is known by its command line, which names the stack's directory, and a
function, or the simulator, by its program, which is below that directory. So what was left behind by one killed with -9 is
found too, and nobody else's process is ever taken for ours.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import time
from pathlib import Path

from . import processes, simulator
from .console import Failure, step, tail
from .processes import Process
from .settings import LOOPBACK, REGION, REPOSITORY, VIRTUALENV, Settings
from .virtualenv import python_of

MODULE = "infra.local.emulator"
START_WITHIN_S = 60.0
HEALTH = "/_ministack/health"
# What the functions may inherit from the person's environment: nothing that could reach AWS or a proxy.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


def start(settings: Settings) -> None:
    """Starts the emulator and waits until it answers."""
    _refuse_busy_port(settings)
    for directory in (settings.logs, settings.scratch):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    with step(f"Starting the local AWS on {settings.endpoint}"):
        with settings.emulator_log.open("wb") as log:
            emulator = subprocess.Popen(
                [
                    str(python_of(VIRTUALENV)),
                    "-m",
                    MODULE,
                    str(settings.directory),
                    str(settings.port),
                    settings.stack_name,
                ],
                cwd=REPOSITORY,
                env=_environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Out of reach of the terminal's Ctrl-C: it is ended by `stop`, in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_WITHIN_S
        while not _is_healthy(settings):
            if emulator.poll() is not None:
                raise _not_started(settings, f"The local AWS ended at once, with status {emulator.returncode}.")
            if time.monotonic() > deadline:
                raise _not_started(settings, f"The local AWS did not answer within {START_WITHIN_S:.0f} s.")
            time.sleep(0.1)


def is_running(settings: Settings) -> bool:
    return missing(settings) is None


def missing(settings: Settings) -> tuple[str, Path] | None:
    """The first part of the stack that does not run, and its log."""
    if not any(_is_emulator(process, settings) for process in _ours(settings)) or not _is_healthy(settings):
        return "local AWS", settings.emulator_log
    if not simulator.is_running(settings):
        return "partner simulator", settings.partner_simulator_log
    return None


def stop(settings: Settings) -> bool:
    """Stops everything, whatever state it is in; false when there was nothing to stop."""
    if not _ours(settings):
        return False
    with step("Stopping the local AWS, its functions and the partner simulator"):
        left = processes.end(lambda: _ours(settings), lambda process: _ends_by_itself(process, settings))
    if left:
        raise Failure(
            f"Could not stop {', '.join(map(str, left))}.",
            f"End them by hand: kill -9 {' '.join(str(process.pid) for process in left)}",
        )
    return True


def _ours(settings: Settings) -> list[Process]:
    programs = f"{settings.scratch}{os.sep}"
    return [
        process
        for process in processes.running()
        if process.command.startswith(programs) or _is_emulator(process, settings)
    ]


def _ends_by_itself(process: Process, settings: Settings) -> bool:
    """A function is ended by its emulator, if there is one."""
    return _is_emulator(process, settings) or simulator.is_one(process, settings)


def _is_emulator(process: Process, settings: Settings) -> bool:
    return f" {MODULE} {settings.directory} " in process.command


def _environment(settings: Settings) -> dict[str, str]:
    """The emulator's environment, and so the functions'."""
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        **settings.client_environment(),
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_REGION": REGION,
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": LOOPBACK,
        # Its own level; the functions' is a parameter of the template.
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",
        "TMPDIR": str(settings.scratch),
        "PYTHONUNBUFFERED": "1",
        "RUST_BACKTRACE": "1",
    }


def _is_healthy(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, settings.port, timeout=5)
    try:
        connection.request("GET", HEALTH)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _refuse_busy_port(settings: Settings) -> None:
    if processes.is_free(LOOPBACK, settings.port):
        return
    holder = processes.listener(settings.port)
    raise Failure(
        f"Port {settings.port} is in use by {holder or 'a process that cannot be seen from here'}.",
        f"Stop that, or choose another port: PORT={processes.free_port(LOOPBACK)}",
    )


def _not_started(settings: Settings, what: str) -> Failure:
    return Failure(
        f"{what} The end of its log:\n{tail(settings.emulator_log)}",
        f"The whole log is {settings.emulator_log}; to install the local AWS anew, delete {VIRTUALENV}.",
    )
