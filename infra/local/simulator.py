"""The partner simulator: what webhooks are sent to, since no partner can be called from here.

It runs from a copy of its program in the stack's own directory, as functions do: so it is found and ended as they are, and
cargo can build another while it runs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from . import processes
from .console import Failure, step, tail
from .settings import LOOPBACK, Settings

PROGRAM = "partner-simulator"
START_WITHIN_S = 30.0
URL = re.compile(rf"^http://{re.escape(LOOPBACK)}:(\d+)\n", re.ASCII)


def start(settings: Settings, program: Path) -> str:
    """Starts it on a port that is free, and answers with its URL: the first line that it prints."""
    with step("Starting the partner simulator"):
        copy = _copy_of(settings)
        shutil.copy2(program, copy)
        with settings.partner_simulator_log.open("wb") as log:
            simulator = subprocess.Popen(
                [str(copy)],
                cwd=settings.directory,
                env={"RUST_BACKTRACE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Out of reach of the terminal's Ctrl-C: `supervisor` ends it, in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_WITHIN_S
        while not (url := URL.match(settings.partner_simulator_log.read_text(encoding="utf-8"))):
            if simulator.poll() is not None or time.monotonic() > deadline:
                raise Failure(
                    f"The partner simulator did not start. The end of its log:\n{tail(settings.partner_simulator_log)}",
                    f"The whole log is {settings.partner_simulator_log}.",
                )
            time.sleep(0.02)
        return url[0].rstrip()


def is_running(settings: Settings) -> bool:
    return any(is_one(process, settings) for process in processes.running())


def is_one(process: processes.Process, settings: Settings) -> bool:
    return process.command == str(_copy_of(settings))


def _copy_of(settings: Settings) -> Path:
    return settings.scratch / PROGRAM
