"""Makes virtual environments, one for each requirements file."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from .console import Failure, shown, step, tail

STAMP = "made-from"


def python_of(directory: Path) -> Path:
    return directory / "bin" / "python"


def is_made(directory: Path, requirements: Path) -> bool:
    try:
        made_from = (directory / STAMP).read_text(encoding="utf-8")
    except OSError:
        return False
    return made_from == _fingerprint(requirements) and python_of(directory).exists()


def make(directory: Path, requirements: Path) -> None:
    """Makes a new environment. The stamp is written last, so that an incomplete environment has none."""
    if sys.version_info < (3, 10):
        raise Failure(
            f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old. The local stack needs 3.10 or newer.",
            "Install a newer Python and name it: make up PYTHON=python3.11",
        )
    log = directory.parent / f"{directory.name}.log"
    shutil.rmtree(directory, ignore_errors=True)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with step(f"Installing {requirements.name} into {shown(directory)}"), log.open("w", encoding="utf-8") as output:
        _run(
            [sys.executable, "-m", "venv", str(directory)],
            output,
            log,
            "Python could not make a virtual environment.",
            "On Debian and Ubuntu, install python3-venv (apt install python3-venv), then try again.",
        )
        _run(
            [str(python_of(directory)), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(requirements)],
            output,
            log,
            f"pip could not install {requirements.name}.",
            "Check the connection to the package index, then try again.",
        )
    (directory / STAMP).write_text(_fingerprint(requirements), encoding="utf-8")


def _run(command: list[str], output: TextIO, log: Path, what: str, cure: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        output.flush()
        raise Failure(f"{what} The end of {shown(log)}:\n{tail(log)}", cure)


def _fingerprint(requirements: Path) -> str:
    """Returns a digest of the requirements and of the Python. If either changes, the environment is made again."""
    digest = hashlib.sha256(requirements.read_bytes())
    digest.update(f"{sys.version_info[:2]}{sys.base_prefix}".encode())
    return digest.hexdigest()
