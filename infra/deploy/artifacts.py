"""Builds the functions with cargo-lambda, and checks that the binaries are the ones to deploy."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local import processes
from infra.local.console import Failure, loud_step
from infra.local.files import read_json, write_json
from infra.local.settings import REPOSITORY

from .environments import Environment

RECORD = "build.json"
# Everything that the functions are built from.
SOURCES = ("Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "functions", "shared")
# The field e_machine of an ELF header, by the value of the template's parameter Architecture.
MACHINES = {"arm64": 183, "x86_64": 62}
FLAGS = {"arm64": "--arm64", "x86_64": "--x86-64"}


@dataclass(frozen=True)
class Record:
    """Describes a build: its commit, and digests of its sources and of each binary."""

    commit: str
    sources: str
    binaries: dict[str, str]

    def release(self, parameters: dict[str, str]) -> str:
        """Returns a digest that changes with any binary and any parameter. A new digest publishes a new version."""
        return hashlib.sha256(json.dumps([self.binaries, parameters], sort_keys=True).encode()).hexdigest()


def commit() -> str:
    """Returns the commit that is checked out, with `-dirty` if files differ from it."""
    head = processes.run(["git", "-C", str(REPOSITORY), "rev-parse", "--short=10", "HEAD"], capture=True)
    if head.returncode != 0:
        raise Failure("git does not say which commit is checked out.", "Deploy from a clone of the repository.")
    changed = processes.run(["git", "-C", str(REPOSITORY), "status", "--porcelain"], capture=True)
    return head.stdout.strip() + ("-dirty" if changed.stdout.strip() else "")


def build(environment: Environment, directory: Path) -> Record:
    """Builds every function, and writes a record of the build beside the binaries."""
    if shutil.which("cargo-lambda") is None:
        raise Failure("cargo-lambda was not found.", "Run make deploy, which installs it, or pip install cargo-lambda ziglang.")
    architecture = environment.parameter("Architecture")
    for name in environment.functions:
        # Old binaries are removed, so that none of them is taken for a binary of this build.
        shutil.rmtree(directory / name, ignore_errors=True)
    (directory / RECORD).unlink(missing_ok=True)
    sources = _digest_of_sources()
    packages = [part for name in environment.functions for part in ("-p", _package(name))]
    command = ["cargo", "lambda", "build", "--release", FLAGS[architecture], "--locked", "--lambda-dir", str(directory), *packages]
    with loud_step(f"Building {len(environment.functions)} functions for {architecture}"):
        if processes.run(command).returncode != 0:
            raise Failure("cargo-lambda could not build the functions.", "Correct what cargo reports above, then try again.")
    missing = [name for name in environment.functions if not _binary(directory, name).is_file()]
    if missing:
        raise Failure(f"cargo-lambda built no {', '.join(missing)}.", "Compare functions/ with the CodeUris of template.yaml.")
    binaries = {name: _digest(_binary(directory, name)) for name in environment.functions}
    record = Record(commit=commit(), sources=sources, binaries=binaries)
    write_json(directory / RECORD, asdict(record))
    return record


def check(environment: Environment, directory: Path) -> Record:
    """Returns the record of the binaries.

    Fails if binaries are missing, are of another architecture, or were built from other sources.
    """
    written = read_json(directory / RECORD)
    if written is None:
        raise Failure(f"{directory} has no record of a build.", "Build first: make deploy without BUILD=no, or make package.")
    record = Record(**written)
    for name in environment.functions:
        binary = _binary(directory, name)
        if not binary.is_file():
            raise Failure(f"The function {name} is not built: {binary} is missing.", "Build again: make package.")
        if _digest(binary) != record.binaries.get(name):
            raise Failure(f"The function {name} is not the one that was built: {binary} has changed.", "Build again: make package.")
        _check_architecture(environment, name, binary)
        # A pipeline's archive may have lost the file mode. The package keeps the mode, and Lambda must be able to run
        # the file.
        binary.chmod(0o755)
    if _digest_of_sources() != record.sources:
        raise Failure(
            f"The functions are older than their sources: they were built at the commit {record.commit}.",
            "Build again: make package. In a pipeline, check out the commit that was built.",
        )
    return record


def _check_architecture(environment: Environment, name: str, binary: Path) -> None:
    architecture = environment.parameter("Architecture")
    with binary.open("rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF" or len(header) < 20:
        raise Failure(f"{binary} is not a program for Linux.", f"Build {name} with make package, not with cargo build.")
    machine = int.from_bytes(header[18:20], "little")
    if machine != MACHINES[architecture]:
        built_for = next((known for known, number in MACHINES.items() if number == machine), f"machine {machine}")
        raise Failure(
            f"The function {name} is built for {built_for}, but the stack runs {architecture}.",
            f"Build again: make package, or set Architecture={built_for} in samconfig.toml.",
        )


def _package(name: str) -> str:
    """Returns the name of a function's crate, which is the function's own unless a crate of the registry has that name."""
    manifest = (REPOSITORY / "functions" / name / "Cargo.toml").read_text(encoding="utf-8")
    return manifest.split('name = "', 1)[1].split('"', 1)[0]


def _binary(directory: Path, name: str) -> Path:
    return directory / name / "bootstrap"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_of_sources() -> str:
    """Returns a digest of the names and contents of all sources, without file times, which differ in each clone."""
    digest = hashlib.sha256()
    for source in SOURCES:
        path = REPOSITORY / source
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        for file in files:
            digest.update(json.dumps([str(file.relative_to(REPOSITORY)), _digest(file)]).encode())
    return digest.hexdigest()
