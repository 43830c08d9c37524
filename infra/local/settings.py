"""The configuration, read from the environment once, and the paths of all files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .console import Failure

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE = REPOSITORY / "template.yaml"
PARTNERS = REPOSITORY / "infra" / "partners"
REQUIREMENTS = REPOSITORY / "infra" / "requirements.txt"
VIRTUALENV = REPOSITORY / ".venv" / "local"

LOOPBACK = "127.0.0.1"
REGION = "us-east-1"
# A campaign is published this long before it starts. On AWS this takes minutes; here it is short, so that people need
# not wait.
CAMPAIGN_LEAD_S = 4
# The emulator accepts any credentials. These belong to no account.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True)
class Settings:
    """Holds one local stack's port, its name, and the directory that it writes to."""

    port: int
    stack_name: str
    directory: Path

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def stack_file(self) -> Path:
        return self.directory / "stack.json"

    @property
    def environment_file(self) -> Path:
        """Holds what a shell needs to use the stack: `source .stack/env`."""
        return self.directory / "env"

    @property
    def build_log(self) -> Path:
        return self.directory / "build.log"

    @property
    def apply_log(self) -> Path:
        """Holds what postbackctl said when it applied the sample partners."""
        return self.logs / "apply.log"

    @property
    def story_log(self) -> Path:
        return self.directory / "story.log"

    @property
    def run_file(self) -> Path:
        """Holds the fingerprints of the sources that the running stack was made from."""
        return self.directory / "run.json"

    @property
    def secrets_file(self) -> Path:
        """Holds tokens and signing secrets, which postbackctl shows only once."""
        return self.directory / "secrets.json"

    @property
    def marker(self) -> Path:
        """Marks the directory as a stack's: its files may be deleted, and programs that run from it may be ended."""
        return self.directory / ".gg3-stack"

    @property
    def lock_file(self) -> Path:
        return self.directory / "lock"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def emulator_log(self) -> Path:
        return self.logs / "emulator.log"

    @property
    def partner_simulator_log(self) -> Path:
        return self.logs / "partner-simulator.log"

    @property
    def partners(self) -> Path:
        """Holds the copies of the partner files whose webhooks lead to the simulator."""
        return self.directory / "partners"

    @property
    def scratch(self) -> Path:
        """Holds the emulator's temporary files, mostly unpacked functions, and the simulator's program."""
        return self.directory / "tmp"

    def client_environment(self) -> dict[str, str]:
        """Returns the environment variables that a program needs to reach this stack and nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # postbackctl must use the same value as the deployed event-evaluator.
            "GG3_CAMPAIGN_LEAD_SECONDS": str(CAMPAIGN_LEAD_S),
            **CREDENTIALS,
        }


def from_environment() -> Settings:
    return Settings(
        port=_port(os.environ.get("PORT") or "4570"),
        stack_name=os.environ.get("STACK_NAME") or "gg3-local",
        directory=(REPOSITORY / (os.environ.get("STACK_DIR") or ".stack")).resolve(),
    )


def claim(settings: Settings) -> None:
    """Creates and marks the stack's directory. Fails if it has other content, so that nothing foreign is deleted."""
    directory = settings.directory
    if directory.exists() and not settings.marker.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Failure(
            f"{directory} is not a stack's directory and is not empty. Nothing in it was changed.",
            "Name a new directory, such as STACK_DIR=.stack-2.",
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.marker.touch()


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 1024 <= int(text) <= 65535:
        return int(text)
    raise Failure(f"PORT={text} is not an allowed port.", "Give a number from 1024 to 65535, such as PORT=4571.")
