"""Output on the terminal: steps with progress, and failures with their cure."""

from __future__ import annotations

import itertools
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SPIN_EVERY_S = 0.1
# Without a terminal, a step prints a line at this interval to show that it still runs.
REMIND_EVERY_S = 15.0


class Failure(Exception):
    """A failure that the user can act on. It says what went wrong and how to correct it."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure


class Interrupted(BaseException):
    """Raised on Ctrl-C or a similar signal. `except Exception` does not catch it, as with KeyboardInterrupt."""


def say(line: str = "") -> None:
    print(line, flush=True)


def fail(failure: Failure) -> None:
    print(f"\n✗ {failure.what}\n  → {failure.cure}", file=sys.stderr, flush=True)


def elapsed(since: float) -> str:
    seconds = time.monotonic() - since
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def shown(path: Path) -> str:
    """Returns the path relative to the current directory if it is inside it, otherwise unchanged."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def width() -> int:
    """Returns the columns of the terminal, or 100 without one."""
    return shutil.get_terminal_size((100, 24)).columns


def tail(path: Path, lines: int = 15) -> str:
    """Returns the last lines of a log, indented; an empty string if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


@contextmanager
def step(title: str, detail: Callable[[], str] = str) -> Iterator[None]:
    """Runs a quiet step. Shows a spinner and the time on a terminal, or a line every 15 seconds elsewhere.

    While the step runs, `detail` says what it does just now.
    """
    started = time.monotonic()
    finished = threading.Event()
    ticker = threading.Thread(target=_tick, args=(title, detail, started, finished), daemon=True)
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


def _tick(title: str, detail: Callable[[], str], started: float, finished: threading.Event) -> None:
    def line(mark: str) -> str:
        # A longer line would wrap, and the next line could not replace it.
        return f"{mark} {title} … {elapsed(started)}  {detail()}".rstrip()[: width() - 1]

    if not sys.stdout.isatty():
        while not finished.wait(REMIND_EVERY_S):
            say(line(" "))
        return
    for frame in itertools.cycle(SPINNER):
        print(f"{_line_start()}{line(frame)}", end="", flush=True)
        if finished.wait(SPIN_EVERY_S):
            return


def _line_start() -> str:
    """Returns the codes that clear the current line; an empty string without a terminal."""
    return "\r\033[K" if sys.stdout.isatty() else ""
