"""What the person at the terminal sees: steps that show progress, and failures that say what to do."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SPIN_EVERY_S = 0.1
# Where there is no terminal to draw on, a line this often shows that a step is still alive.
REMIND_EVERY_S = 15.0


class Failure(Exception):
    """Something the person can act on: what went wrong, and what to do about it."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure


class Interrupted(BaseException):
    """Ctrl-C, or a signal that means the same. Like KeyboardInterrupt, not for anyone's `except Exception` to catch."""


def say(line: str = "") -> None:
    print(line, flush=True)


def fail(failure: Failure) -> None:
    print(f"\n✗ {failure.what}\n  → {failure.cure}", file=sys.stderr, flush=True)


def elapsed(since: float) -> str:
    seconds = time.monotonic() - since
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def shown(path: Path) -> str:
    """A path as a person would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def tail(path: Path, lines: int = 15) -> str:
    """The end of a log, indented, for a failure to quote."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


@contextmanager
def step(title: str) -> Iterator[None]:
    """Runs a quiet step: a spinner with the time on a terminal, otherwise a line now and then."""
    started = time.monotonic()
    finished = threading.Event()
    ticker = threading.Thread(target=_tick, args=(title, started, finished), daemon=True)
    ticker.start()
    mark = "✗"
    try:
        yield
        mark = "✓"
    finally:
        finished.set()
        ticker.join()
        say(f"{_line_start()}{mark} {title} ({elapsed(started)})")


@contextmanager
def loud_step(title: str) -> Iterator[None]:
    """Runs a step whose own output is its progress."""
    started = time.monotonic()
    say(f"  {title} …")
    yield
    say(f"✓ {title} ({elapsed(started)})")


def _tick(title: str, started: float, finished: threading.Event) -> None:
    if not sys.stdout.isatty():
        while not finished.wait(REMIND_EVERY_S):
            say(f"  {title} … {elapsed(started)}")
        return
    for frame in itertools.cycle(SPINNER):
        print(f"{_line_start()}{frame} {title} … {elapsed(started)}", end="", flush=True)
        if finished.wait(SPIN_EVERY_S):
            return


def _line_start() -> str:
    """Back to the beginning of the line, and clear it, where there is a terminal."""
    return "\r\033[K" if sys.stdout.isatty() else ""
