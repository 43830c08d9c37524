"""Starts, finds and ends processes, and checks ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

import psutil

from .console import Failure, tail
from .settings import LOOPBACK, VIRTUALENV

POLL_S = 0.05
Ready = TypeVar("Ready")


def command_of(process: psutil.Process) -> str:
    """Returns the command line; an empty string for a process that has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def describe(process: psutil.Process) -> str:
    command = command_of(process)
    shown = command if len(command) <= 80 else f"{command[:79]}…"
    return f"`{shown}` (pid {process.pid})"


def run(
    command: list[str],
    *,
    environment: Mapping[str, str] | None = None,
    capture: bool = False,
    attended: bool = False,
    errors: TextIO | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, in its own session. An interruption ends the command and everything that it started.

    A command that is attended may ask questions; any other reads nothing. Standard error goes to `errors` if that is
    given.
    """
    with subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdin=None if attended else subprocess.DEVNULL,
        stdout=subprocess.PIPE if capture else None,
        stderr=errors,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            output, _ = child.communicate()
        except BaseException:
            _end_session(child)
            raise
    return subprocess.CompletedProcess(command, child.returncode, output or "")


def start(
    name: str, command: list[str], log: Path, ready: Callable[[], Ready | None], within_s: float, **options: Any
) -> Ready:
    """Starts a server that writes to this log, waits until `ready` returns a value, and returns that value.

    The terminal's Ctrl-C does not reach the server, because `supervisor` ends the servers in order.
    """
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    deadline = time.monotonic() + within_s
    while not (result := ready()):
        ended = server.poll() is not None
        if ended or time.monotonic() > deadline:
            what = f"ended at once with status {server.returncode}" if ended else f"did not answer within {within_s:.0f} s"
            raise Failure(
                f"The {name} {what}. The end of its log:\n{tail(log)}",
                f"The whole log is {log}. To install everything again, delete {VIRTUALENV}.",
            )
        time.sleep(POLL_S)
    return result


def end(find: Callable[[], list[psutil.Process]], first: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """Ends the processes that `find` returns. Processes for which `first` is true end first, because they end others.

    Sends SIGTERM twice, then SIGKILL. Returns the processes that still run, normally none.
    """
    _signal([process for process in find() if first(process)], signal.SIGTERM, 8.0)
    _signal(find(), signal.SIGTERM, 3.0)
    _signal(find(), signal.SIGKILL, 5.0)
    return find()


def is_free(port: int) -> bool:
    """Returns True if a server could listen on this port now."""
    with socket.socket() as probe:
        # Connections of an earlier run linger for a minute. With this option, as in servers, they do not block the
        # port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def listener(port: int) -> str:
    """Describes the process that listens on a port. Other users' processes are not always visible."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return describe(psutil.Process(connection.pid))
    return "a process that cannot be seen from here"


def _end_session(child: subprocess.Popen[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
            os.killpg(child.pid, number)
            child.wait(timeout=3)
            break
    # The leader has ended. The remaining processes of its session are killed.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _signal(processes: list[psutil.Process], number: int, patience_s: float) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    psutil.wait_procs(processes, timeout=patience_s)
