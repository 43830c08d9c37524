"""Writes `.stack/stack.json`, which holds everything that a client of the running stack needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .deploy import Deployment
from .files import write_json
from .partners import SamplePartner
from .settings import CREDENTIALS, REGION, Settings


def write(
    settings: Settings, deployment: Deployment, simulator_url: str, partners: dict[str, SamplePartner]
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
    return stack
