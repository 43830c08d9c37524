"""Builds the workspace with one cargo call, and finds the binaries."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from . import processes
from .console import Failure, loud_step
from .settings import REPOSITORY

# Running needs only the binaries. Testing builds everything, so that `cargo test` has nothing left to build. No crate has
# examples, but with `--examples` cargo unifies features as it does for tests. Otherwise it would build all dependencies
# twice, and again after each change between the two.
BINARIES = ["--workspace", "--bins", "--examples"]
EVERYTHING = ["--workspace", "--all-targets"]


def build(selection: list[str]) -> dict[str, Path]:
    """Builds for development and returns each program's path. Cargo's own output shows the progress."""
    require_cargo()
    manifest = ["--manifest-path", str(REPOSITORY / "Cargo.toml")]
    with loud_step("Building with cargo"):
        done = processes.run(
            ["cargo", "build", *manifest, *selection, "--message-format", "json-render-diagnostics"], capture=True
        )
        if done.returncode != 0:
            raise Failure("cargo could not build the project.", "Correct what cargo reports above, then try again.")
    return _programs(done.stdout)


def require_cargo() -> None:
    if shutil.which("cargo") is None:
        raise Failure("cargo was not found.", "Install Rust 1.95 or newer, for example with rustup, then try again.")


def _programs(messages: str) -> dict[str, Path]:
    programs = {}
    for line in messages.splitlines():
        message = json.loads(line)
        if message.get("reason") != "compiler-artifact" or not message.get("executable"):
            continue
        # The unit tests of a program are an executable of the same name. They are skipped.
        if message["target"]["kind"] == ["bin"] and not message["profile"]["test"]:
            programs[message["target"]["name"]] = Path(message["executable"])
    return programs
