"""What can be configured, read from the environment once, and where everything is."""

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
# How long before its start a campaign is published: minutes on AWS, here no longer than a newcomer waits.
CAMPAIGN_LEAD_S = 4
# The emulator takes any credentials; these are nobody's.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True)
class Settings:
    """One local stack: its port, its name, and the directory of everything it writes."""

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
    def run_file(self) -> Path:
        """Which emulator is running for this stack, and from what it was made."""
        return self.directory / "run.json"

    @property
    def secrets_file(self) -> Path:
        """Tokens and signing secrets, which are told only once, when they are made."""
        return self.directory / "secrets.json"

    @property
    def marker(self) -> Path:
        """Says that this directory is a stack's: what is in it may be deleted, what runs from it may be ended."""
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
        """The partner files as they are applied here: their webhooks lead to the simulator."""
        return self.directory / "partners"

    @property
    def scratch(self) -> Path:
        """The emulator's temporary files, unpacked functions mostly; and the simulator's program."""
        return self.directory / "tmp"

    def client_environment(self) -> dict[str, str]:
        """What a program needs in its environment to talk to this stack and nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # What the deployed evaluator is told, so that postbackctl publishes for it.
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
    """Makes the directory the stack's own, before anything in it is touched; refuses one that is something else's."""
    directory = settings.directory
    if directory.exists() and not settings.marker.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Failure(
            f"{directory} is not a stack's directory, and it is not empty: nothing in it was touched.",
            "Name one that is new, such as STACK_DIR=.stack-2",
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.marker.touch()


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 1024 <= int(text) <= 65535:
        return int(text)
    raise Failure(f"PORT={text} is not a port.", "Give a number from 1024 to 65535, such as PORT=4571.")
