"""Builds the workspace with one cargo call, and finds the binaries."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from . import processes
from .console import Failure, say, shown, step, tail
from .settings import REPOSITORY

# Running needs only the binaries. Testing builds everything, so that `cargo test` has nothing left to build. No crate
# has examples, but with `--examples` cargo unifies features as it does for tests. Otherwise it would build all
# dependencies twice, and again after each change between running and testing.
BINARIES = ["--workspace", "--bins", "--examples"]
EVERYTHING = ["--workspace", "--all-targets"]


def build(selection: list[str], log: Path) -> dict[str, Path]:
    """Builds for development and returns each program's path. Cargo's own output goes to the log."""
    require_cargo()
    if not (REPOSITORY / "target" / "debug").exists():
        say("  The first build compiles about 350 crates, which takes a few minutes. Later ones take seconds.")
    command = ["cargo", "build", "--manifest-path", str(REPOSITORY / "Cargo.toml"), *selection]
    compiled = _Compiled(log)
    with log.open("w", encoding="utf-8") as output, step("Building with cargo", compiled.newest):
        done = processes.run([*command, "--message-format", "json-render-diagnostics"], capture=True, errors=output)
        if done.returncode != 0:
            raise Failure(
                f"cargo could not build the project. The end of what it said:\n{tail(log, 40)}",
                f"Correct what cargo reports, then try again. The whole log is {shown(log)}.",
            )
    return _programs(done.stdout)


class _Compiled:
    """Counts the crates in cargo's log, and names the newest."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0
        self._count = 0
        self._newest = ""

    def newest(self) -> str:
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._read)
            for line in log.readlines():
                if line.startswith("   Compiling "):
                    self._count += 1
                    self._newest = line.split()[1]
            self._read = log.tell()
        return f"{self._count} compiled, now {self._newest}" if self._count else ""


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
