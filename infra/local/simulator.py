"""The partner simulator, which receives the local stack's webhooks in place of real partners.

It runs from a copy of its program in the stack's directory, as functions do. So `supervisor` finds and ends it in the same
way, and cargo can build a new version while it runs.
"""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from pathlib import Path

from . import processes
from .console import Failure, step
from .settings import LOOPBACK, Settings

PROGRAM = "partner-simulator"
START_WITHIN_S = 30.0
URL = re.compile(rf"^http://{re.escape(LOOPBACK)}:(\d+)\n", re.ASCII)


def start(settings: Settings, program: Path) -> str:
    """Starts the simulator on a free port and returns its URL, which is the first line that it prints."""
    with step("Starting the partner simulator"):
        shutil.copy2(program, command(settings))
        log = settings.partner_simulator_log
        found = processes.start(
            "partner simulator",
            [command(settings)],
            log,
            lambda: URL.match(log.read_text(encoding="utf-8")),
            START_WITHIN_S,
            cwd=settings.directory,
            env={"RUST_BACKTRACE": "1"},
        )
        return found[0].rstrip()


def set_secret(url: str, name: str, secret: str) -> None:
    """Gives the simulator a partner's webhook secret, so that it can verify signatures."""
    script = json.dumps({"secrets": [secret]}).encode()
    request = urllib.request.Request(f"{url}/_control/{name}", script, {"content-type": "application/json"}, method="PUT")
    try:
        urllib.request.urlopen(request, timeout=START_WITHIN_S).close()
    except OSError as error:
        raise Failure(
            f"The partner simulator did not accept the secret of {name}: {error}", f"Look at {url}/_control."
        ) from error


def command(settings: Settings) -> str:
    """Returns the command line by which the simulator's process is found."""
    return str(settings.scratch / PROGRAM)
