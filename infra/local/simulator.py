"""The partner simulator: what webhooks are sent to, since no partner can be called from here.

It runs from a copy of its program in the stack's own directory, as functions do: so it is found and ended as they are, and
cargo can build another while it runs.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.request
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


def tell_secret(url: str, name: str, secret: str) -> None:
    """Tells it what this partner's webhooks are signed with, so that it says of each whether the signature is good."""
    told = json.dumps({"secrets": [secret]}).encode()
    request = urllib.request.Request(f"{url}/_control/{name}", told, {"content-type": "application/json"}, method="PUT")
    # Straight to this machine, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(request, timeout=START_WITHIN_S).close()
    except OSError as error:
        raise Failure(f"The partner simulator took no secret of {name}: {error}", f"Look into {url}/_control.") from error


def is_running(settings: Settings) -> bool:
    return any(is_one(process, settings) for process in processes.running())


def is_one(process: processes.Process, settings: Settings) -> bool:
    return process.command == str(_copy_of(settings))


def _copy_of(settings: Settings) -> Path:
    return settings.scratch / PROGRAM
