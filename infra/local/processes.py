"""Processes and ports, as the operating system sees them.

Linux is read from /proc, since small images have neither `ps` nor `lsof`; elsewhere those two are asked.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"
POLL_S = 0.05


@dataclass(frozen=True)
class Process:
    pid: int
    arguments: tuple[str, ...]

    @property
    def command(self) -> str:
        return " ".join(self.arguments)

    def __str__(self) -> str:
        shown = self.command if len(self.command) <= 80 else f"{self.command[:79]}…"
        return f"`{shown}` (pid {self.pid})"


def running() -> list[Process]:
    """Every process that still runs; one that has ended and merely waits to be reaped has no command line any more."""
    if not PROC.is_dir():
        rows = [line.split() for line in _output(["ps", "-A", "-ww", "-o", "pid=,command="]).splitlines()]
        return [Process(int(row[0]), tuple(row[1:])) for row in rows if len(row) > 1]
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if line:
                arguments = line.rstrip(b"\0").decode("utf-8", errors="replace").split("\0")
                found.append(Process(int(entry.name), tuple(arguments)))
    return found


def run(
    command: list[str], *, environment: Mapping[str, str] | None = None, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, in a session of its own: interrupted, it is ended with all that it started."""
    with subprocess.Popen(
        command,
        env=None if environment is None else {**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if capture else None,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            output, _ = child.communicate()
        except BaseException:
            _end_session(child)
            raise
    return subprocess.CompletedProcess(command, child.returncode, output or "")


def end(find: Callable[[], list[Process]], first: Callable[[Process], bool], patience_s: float = 8.0) -> list[Process]:
    """Ends the processes that `find` finds; those that are `first` alone at first, so that they can end the others.

    Asks, asks again, then kills. Answers with what still runs, which should be nothing.
    """
    for number, wait_s, only in (
        (signal.SIGTERM, patience_s, first),
        (signal.SIGTERM, 3.0, _anyone),
        (signal.SIGKILL, 5.0, _anyone),
    ):
        left = find()
        asked = [process for process in left if only(process)]
        _signal(asked, number)
        deadline = time.monotonic() + (wait_s if asked else 0)
        while left and time.monotonic() < deadline:
            time.sleep(POLL_S)
            _reap()
            left = find()
        if not left:
            return []
    return left


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # As servers do, so that connections of an earlier run, which linger a minute, are not mistaken for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def listener(port: int) -> Process | None:
    """Who listens on a port, if that can be known: other people's processes are not always shown."""
    if not PROC.is_dir():
        found = re.search(r"p(\d+)\nc(.*)", _output(["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]))
        return Process(int(found[1]), (found[2],)) if found else None
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in running():
        try:
            descriptors = list((PROC / str(process.pid) / "fd").iterdir())
        except OSError:
            continue
        if any(_target(descriptor) in sockets for descriptor in descriptors):
            return process
    return None


def _listening_inodes(port: int) -> Iterable[str]:
    for table in ("tcp", "tcp6"):
        try:
            rows = (PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                yield fields[9]


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _end_session(child: subprocess.Popen[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(timeout=3)
            # The leader has ended; whatever it left behind in its session ends with it.
            os.killpg(child.pid, signal.SIGKILL)
        except subprocess.TimeoutExpired:
            continue
        except (ProcessLookupError, PermissionError):
            pass
        return


def _anyone(_: Process) -> bool:
    return True


def _signal(whom: list[Process], number: int) -> None:
    for process in whom:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue


def _reap() -> None:
    """Collects children that have ended, so that none is left defunct while this process goes on."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _output(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
