"""Packages template.yaml and deploys it through CloudFormation, as `aws cloudformation package` and `deploy` would."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from samtranslator.yaml_helper import yaml_parse

from .console import Failure, step
from .settings import CAMPAIGN_LEAD_S, TEMPLATE, Settings

BUCKET = "packages"
# A tenth of a second apart: two minutes and more.
DEPLOY_ATTEMPTS = 1200
# What differs from AWS: the tables may go with the stack, a changed partner is noticed at once, nothing is throttled.
PARAMETERS = {
    "DeletionProtection": "false",
    "PartnerFreshSeconds": "1",
    "UnknownPartnerFreshSeconds": "1",
    # A campaign may start 4 seconds after it is published.
    "CataloguePollSeconds": "1",
    "CatalogueMaxAgeSeconds": "3",
    "EventMaxAheadSeconds": "1",
    "CampaignLeadSeconds": str(CAMPAIGN_LEAD_S),
    "EventEvaluatorConcurrency": "4",
    # Webhooks go to the partner simulator on this machine; a paused one looks every few seconds whether it is still.
    "LoopbackWebhooks": "true",
    "WebhookPartnerFreshSeconds": "1",
    "PausedHopSeconds": "3",
    "WebhooksConcurrency": "4",
    "WebhookRetriesConcurrency": "4",
    # The emulator refuses alarms over computed metrics.
    "ComputedAlarms": "false",
    # The emulator shares two cores with every function that it starts: patience here, not failures.
    "ClickTimeoutSeconds": "60",
    "PostbackTimeoutSeconds": "120",
}
OUTPUT = re.compile(r"(Table|Queue|Function)(\w+)")

Template = dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """What a deployed stack is made of: by kind, each thing's logical name and what it is really called."""

    api_url: str
    tables: dict[str, str]
    queues: dict[str, str]
    functions: dict[str, str]


def read_template() -> Template:
    try:
        return dict(yaml_parse(TEMPLATE.read_text(encoding="utf-8")))
    except Exception as error:
        raise Failure(f"{TEMPLATE.name} cannot be read: {error}", "Mend it; make lint says more.") from error


def function_names(template: Template) -> dict[str, str]:
    """The functions that a template deploys: logical id → the program's name, the last part of its CodeUri."""
    return {
        logical_id: Path(resource["Properties"]["CodeUri"]).name
        for logical_id, resource in _resources(template).items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def _resources(template: Template) -> Template:
    """Those that are written out; an `Fn::ForEach` holds no table, function or mapping."""
    return {key: value for key, value in template["Resources"].items() if not key.startswith("Fn::ForEach::")}


def deploy(settings: Settings, programs: dict[str, Path]) -> Deployment:
    """Deploys to an emulator that has just been started, and so holds nothing yet."""
    template = read_template()
    with step(f"Deploying {TEMPLATE.name} as the stack {settings.stack_name}"):
        try:
            _package(settings, template, programs)
            _write_out_concurrency(template)
            outputs = _create_stack(settings, template)
            _expire_items(settings, template)
        except (BotoCoreError, ClientError) as error:
            raise Failure(
                f"The local AWS refused to deploy {TEMPLATE.name}: {str(error)[:500]}",
                f"Look into {settings.emulator_log}.",
            ) from error
    return _deployment(settings, outputs)


def client(settings: Settings, service: str) -> Any:
    """Returns a client of the emulator. Region and credentials are in the environment."""
    return boto3.client(service, endpoint_url=settings.endpoint, config=Config(s3={"addressing_style": "path"}))


def _package(settings: Settings, template: Template, programs: dict[str, Path]) -> None:
    """Uploads each function as a zip of its `bootstrap`, and points the template at it."""
    storage = client(settings, "s3")
    storage.create_bucket(Bucket=BUCKET)
    for logical_id, name in function_names(template).items():
        if name not in programs:
            raise Failure(
                f"{TEMPLATE.name} deploys {name}, but no crate of the workspace builds a program of that name.",
                f"Add functions/{name}, or mend the function's CodeUri.",
            )
        storage.put_object(Bucket=BUCKET, Key=f"{name}.zip", Body=_zip(settings, programs[name]))
        template["Resources"][logical_id]["Properties"]["CodeUri"] = f"s3://{BUCKET}/{name}.zip"


def _write_out_concurrency(template: Template) -> None:
    """Puts numbers where mappings refer to parameters: ministack takes the parameter's text and fails to compare it."""
    for resource in _resources(template).values():
        scaling = resource.get("Properties", {}).get("ScalingConfig", {})
        reference = scaling.get("MaximumConcurrency")
        if isinstance(reference, dict):
            name = reference["Ref"]
            scaling["MaximumConcurrency"] = int(PARAMETERS.get(name, template["Parameters"][name]["Default"]))


def _zip(settings: Settings, program: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, _without_debug_information(settings, program))
    return content.getvalue()


def _without_debug_information(settings: Settings, program: Path) -> bytes:
    """A development build is mostly debug information. Names of functions stay, so backtraces remain readable."""
    if shutil.which("strip") is None:
        return program.read_bytes()
    copy = settings.scratch / f"{program.name}.stripped"
    shutil.copyfile(program, copy)
    subprocess.run(["strip", "-S", str(copy)], check=False, stderr=subprocess.DEVNULL)
    content = copy.read_bytes()
    copy.unlink()
    return content


def _create_stack(settings: Settings, template: Template) -> dict[str, str]:
    cloudformation = client(settings, "cloudformation")
    # By its address, as `sam deploy` does: CloudFormation takes 51,200 bytes at most in the call itself.
    body = json.dumps(template).encode()
    client(settings, "s3").put_object(Bucket=BUCKET, Key=TEMPLATE.name, Body=body)
    cloudformation.create_stack(
        StackName=settings.stack_name,
        TemplateURL=f"{settings.endpoint}/{BUCKET}/{TEMPLATE.name}",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in PARAMETERS.items()],
    )
    try:
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=settings.stack_name, WaiterConfig={"Delay": 0.1, "MaxAttempts": DEPLOY_ATTEMPTS})
    except WaiterError as error:
        raise Failure(
            f"{TEMPLATE.name} could not be deployed ({error}):\n{_reasons(cloudformation, settings)}",
            f"Mend the resource; make lint checks the template, {settings.emulator_log} may say more.",
        ) from error
    stack = cloudformation.describe_stacks(StackName=settings.stack_name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _reasons(cloudformation: Any, settings: Settings) -> str:
    events = cloudformation.describe_stack_events(StackName=settings.stack_name)["StackEvents"]
    failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED")]
    return "\n".join(f"    {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)


def _expire_items(settings: Settings, template: Template) -> None:
    """Turns time to live on, as the template says: ministack ignores that part of a table when it deploys."""
    dynamodb = client(settings, "dynamodb")
    resources = client(settings, "cloudformation").describe_stack_resources(StackName=settings.stack_name)
    physical = {entry["LogicalResourceId"]: entry["PhysicalResourceId"] for entry in resources["StackResources"]}
    for logical_id, resource in _resources(template).items():
        setting = resource.get("Properties", {}).get("TimeToLiveSpecification")
        if resource["Type"] == "AWS::DynamoDB::Table" and setting:
            dynamodb.update_time_to_live(TableName=physical[logical_id], TimeToLiveSpecification=setting)


def _deployment(settings: Settings, outputs: dict[str, str]) -> Deployment:
    named: dict[str, dict[str, str]] = {"Table": {}, "Queue": {}, "Function": {}}
    for key, value in outputs.items():
        if match := OUTPUT.fullmatch(key):
            named[match[1]][logical_name(match[2])] = value
    return Deployment(
        # ApiUrl names AWS's own host. This form of it needs no name to be resolved, and the functions get the path
        # without the prefix.
        api_url=f"{settings.endpoint}/_aws/execute-api/{outputs['ApiId']}",
        tables=named["Table"],
        queues=named["Queue"],
        functions=named["Function"],
    )


def logical_name(output: str) -> str:
    """`Gg3ConversionsDeadLetters` → `gg3-conversions-dead-letters`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", output).lower()
