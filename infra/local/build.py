"""One cargo call, and the binaries it made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from . import processes
from .console import Failure, loud_step
from .settings import REPOSITORY

# Binaries alone for running; everything for testing, so that the tests' own build finds nothing left to do.
BINARIES = ["--workspace", "--bins"]
EVERYTHING = ["--workspace", "--all-targets"]


def build(selection: list[str]) -> dict[str, Path]:
    """Builds for development and answers with each program's path. Cargo's own output is the progress."""
    require_cargo()
    manifest = ["--manifest-path", str(REPOSITORY / "Cargo.toml")]
    with loud_step("Building with cargo"):
        done = processes.run(
            ["cargo", "build", *manifest, *selection, "--message-format", "json-render-diagnostics"], capture=True
        )
        if done.returncode != 0:
            raise Failure("cargo could not build the project.", "Mend what cargo reports above, then try again.")
    return _programs(done.stdout)


def require_cargo() -> None:
    if shutil.which("cargo") is None:
        raise Failure("cargo was not found.", "Install Rust 1.95 or newer (rustup is the usual way), then try again.")


def _programs(messages: str) -> dict[str, Path]:
    programs = {}
    for line in messages.splitlines():
        message = json.loads(line)
        if message.get("reason") != "compiler-artifact" or not message.get("executable"):
            continue
        # A program's unit tests are an executable of the same name; they are not the program.
        if message["target"]["kind"] == ["bin"] and not message["profile"]["test"]:
            programs[message["target"]["name"]] = Path(message["executable"])
    return programs
