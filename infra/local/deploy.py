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

from . import logins
from .console import Failure, step
from .settings import CAMPAIGN_LEAD_S, TEMPLATE, Settings

BUCKET = "packages"
# Attempts are 0.1 s apart, so a deployment may take two minutes.
DEPLOY_ATTEMPTS = 1200
# These values differ from AWS: tables are deleted with the stack, and functions notice a changed partner within a second.
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
    # Webhooks go to the partner simulator on this machine. Paused ones check every 3 seconds if the pause has ended.
    "LoopbackWebhooks": "true",
    "WebhookPartnerFreshSeconds": "1",
    "PausedHopSeconds": "3",
    "WebhooksConcurrency": "4",
    "WebhookRetriesConcurrency": "4",
    # The emulator refuses alarms over computed metrics.
    "ComputedAlarms": "false",
    # The emulator shares the processor with all functions, so they get longer timeouts than on AWS.
    "ClickTimeoutSeconds": "60",
    "PostbackTimeoutSeconds": "120",
    "ConsoleTimeoutSeconds": "120",
    # These differ from the defaults, so that a test sees that the parameters are used.
    "RefusalRetentionDays": "31",
    "ClickRetentionDays": "401",
    "AttemptRetentionDays": "402",
    "AuditRetentionDays": "403",
}
OUTPUT = re.compile(r"(Table|Queue|Function)(\w+)")

Template = dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """Holds the API's and the console's URLs, and the real names of tables, queues, functions and the archive's parts."""

    api_url: str
    console: dict[str, str]
    archive: dict[str, str]
    tables: dict[str, str]
    queues: dict[str, str]
    functions: dict[str, str]


def read_template() -> Template:
    try:
        return dict(yaml_parse(TEMPLATE.read_text(encoding="utf-8")))
    except Exception as error:
        raise Failure(f"{TEMPLATE.name} cannot be read: {error}", "Correct it; make lint-template says more.") from error


def function_names(template: Template) -> dict[str, str]:
    """Returns the program of each function by the function's logical id. It is the last part of the CodeUri."""
    return {
        logical_id: Path(resource["Properties"]["CodeUri"]).name
        for logical_id, resource in _resources(template).items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def _resources(template: Template) -> Template:
    """Returns the resources outside `Fn::ForEach`. No table, function or mapping is inside one."""
    return {key: value for key, value in template["Resources"].items() if not key.startswith("Fn::ForEach::")}


def deploy(settings: Settings, programs: dict[str, Path]) -> Deployment:
    """Deploys the template to an emulator that was just started and is empty."""
    template = read_template()
    with step(f"Deploying {TEMPLATE.name} as the stack {settings.stack_name}"):
        try:
            _package(settings, template, programs)
            _write_out_concurrency(template)
            outputs = _create_stack(settings, template)
            _expire_items(settings, template)
            logins.add(client(settings, "cognito-idp"), outputs["ConsoleUserPoolId"])
        except (BotoCoreError, ClientError) as error:
            raise Failure(
                f"The local AWS refused to deploy {TEMPLATE.name}: {str(error)[:500]}",
                f"Look at {settings.emulator_log}.",
            ) from error
    return _deployment(settings, outputs)


def client(settings: Settings, service: str) -> Any:
    """Returns a client of the emulator. Region and credentials are in the environment."""
    return boto3.client(service, endpoint_url=settings.endpoint, config=Config(s3={"addressing_style": "path"}))


def _package(settings: Settings, template: Template, programs: dict[str, Path]) -> None:
    """Uploads each function as a zip file with its `bootstrap`, and sets its CodeUri to the upload."""
    storage = client(settings, "s3")
    storage.create_bucket(Bucket=BUCKET)
    for logical_id, name in function_names(template).items():
        if name not in programs:
            raise Failure(
                f"{TEMPLATE.name} deploys {name}, but no crate of the workspace builds a program of that name.",
                f"Add functions/{name}, or correct the function's CodeUri.",
            )
        storage.put_object(Bucket=BUCKET, Key=f"{name}.zip", Body=_zip(settings, programs[name]))
        template["Resources"][logical_id]["Properties"]["CodeUri"] = f"s3://{BUCKET}/{name}.zip"


def _write_out_concurrency(template: Template) -> None:
    """Replaces references to parameters by numbers, because ministack cannot compare a parameter's text."""
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
    """Returns the program without debug information, which is most of its size. Backtraces keep function names."""
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
    # The template is passed by URL, as `sam deploy` does, because a call carries at most 51,200 bytes.
    body = json.dumps(template).encode()
    client(settings, "s3").put_object(Bucket=BUCKET, Key=TEMPLATE.name, Body=body)
    cloudformation.create_stack(
        StackName=settings.stack_name,
        TemplateURL=f"{settings.endpoint}/{BUCKET}/{TEMPLATE.name}",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in {**PARAMETERS, "EmulatorUrl": settings.endpoint}.items()
        ],
    )
    try:
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=settings.stack_name, WaiterConfig={"Delay": 0.1, "MaxAttempts": DEPLOY_ATTEMPTS})
    except WaiterError as error:
        raise Failure(
            f"{TEMPLATE.name} could not be deployed ({error}):\n{_reasons(cloudformation, settings)}",
            f"Correct the resource. make lint-template checks the template; {settings.emulator_log} may say more.",
        ) from error
    stack = cloudformation.describe_stacks(StackName=settings.stack_name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _reasons(cloudformation: Any, settings: Settings) -> str:
    events = cloudformation.describe_stack_events(StackName=settings.stack_name)["StackEvents"]
    failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED")]
    return "\n".join(f"    {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)


def _expire_items(settings: Settings, template: Template) -> None:
    """Enables time to live as in the template, because ministack ignores that setting when it deploys."""
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
        # The output ApiUrl names a host of AWS. This URL needs no name resolution, and the functions receive the path
        # without its prefix.
        api_url=f"{settings.endpoint}/_aws/execute-api/{outputs['ApiId']}",
        console={
            "url": f"{settings.endpoint}/_aws/execute-api/{outputs['ApiId']}/console",
            "user_pool": outputs["ConsoleUserPoolId"],
            "client_id": outputs["ConsoleUserPoolClientId"],
            "password": logins.PASSWORD,
        },
        archive={
            "bucket": outputs["ArchiveBucketName"],
            "database": outputs["ArchiveDatabaseName"],
            "work_group": outputs["ArchiveWorkGroup"],
        },
        tables=named["Table"],
        queues=named["Queue"],
        functions=named["Function"],
    )


def logical_name(output: str) -> str:
    """Returns `gg3-conversions-dead-letters` for `Gg3ConversionsDeadLetters`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", output).lower()
