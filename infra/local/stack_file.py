"""Writes what a client of the running stack needs: `.stack/stack.json`, and `.stack/env` for a shell."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .deploy import Deployment
from .files import write_json, write_text
from .partners import SamplePartner
from .settings import CREDENTIALS, REGION, Settings


def write(
    settings: Settings, deployment: Deployment, simulator_url: str, partners: dict[str, SamplePartner], programs: Path
) -> dict[str, Any]:
    stack = {
        "stack_name": settings.stack_name,
        **asdict(deployment),
        "aws_endpoint_url": settings.endpoint,
        "partner_simulator_url": simulator_url,
        "region": REGION,
        "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        "log_dir": str(settings.logs),
        "sample_partners": {name: partner.as_json() for name, partner in partners.items()},
    }
    write_json(settings.stack_file, stack)
    write_text(settings.environment_file, _environment(settings, partners, programs))
    return stack


def _environment(settings: Settings, partners: dict[str, SamplePartner], programs: Path) -> str:
    """Returns the lines that set up a shell for the operator's command and for a partner's calls."""
    variables = {
        **settings.client_environment(),
        "GG3_STACK": settings.stack_name,
        "GG3_LOOPBACK_WEBHOOKS": "true",
    }
    caller = next((partner for partner in partners.values() if partner.token and partner.landings), None)
    if caller:
        variables |= {"POSTBACK_URL": caller.postback_url, "CLICK_URL": next(iter(caller.landings.values()))}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*lines, f"export PATH={shlex.quote(str(programs))}:$PATH", ""])
