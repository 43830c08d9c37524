"""`make destroy`: deletes a stack that is not production's, and what a failed first deployment left."""

from __future__ import annotations

from typing import Any

from infra.local.console import Failure, say, step

from . import checks, stack
from .environments import Environment


def run(environment: Environment, with_data: bool, agreed: bool) -> int:
    described = stack.describe(environment)
    failed_first = described is not None and described["StackStatus"] in stack.FAILED_FIRST
    if environment.is_production and not failed_first:
        raise Failure(
            f"{environment.name} is production, and is not destroyed by a command.",
            "docs/deploying.md#delete-production lists what to do by hand.",
        )
    kept = _kept(environment)
    if described is None and not kept:
        say(f"There is no stack {environment.stack}, and nothing is left of one.")
        return 0
    _announce(environment, described, kept, with_data, failed_first)
    if not agreed:
        _ask(environment)
    if described is not None:
        stack.delete(environment, described)
    if with_data or failed_first:
        _delete_left(environment, only_empty=not with_data)
    left = _kept(environment)
    say(f"  Kept: {', '.join(left)}." if left else "  Nothing is left.")
    return 0


def _kept(environment: Environment) -> list[str]:
    """Returns the tables, queues and buckets that stay when the stack is deleted."""
    return checks.tables_of(environment) + checks.queues_of(environment) + checks.buckets_of(environment)


def _announce(
    environment: Environment, described: dict[str, Any] | None, names: list[str], with_data: bool, failed_first: bool
) -> None:
    state = described["StackStatus"] if described else "gone already"
    say(f"The stack {environment.stack} in {environment.region}, account {checks.account(environment)}: {state}.")
    if with_data:
        say(f"  DATA=delete deletes these with all that is in them: {', '.join(names)}.")
    elif failed_first:
        say(f"  The first deployment failed. What it left is deleted if it is empty: {', '.join(names) or 'nothing'}.")
    else:
        say(f"  Tables, queues and the archive are kept, with all that is in them: {', '.join(names)}.")
        say("  DATA=delete deletes them too. Logs, alarms, the API and its URL go with the stack.")


def _ask(environment: Environment) -> None:
    if not stack.is_attended():
        raise Failure("Confirmation required.", f"Pass YES=1: make destroy ENV={environment.name} YES=1")
    if input(f"Type {environment.stack} to delete it: ").strip() != environment.stack:
        raise Failure("Nothing was deleted.", "Type the stack's name to delete it.")


def _delete_left(environment: Environment, only_empty: bool) -> None:
    with step("Deleting what the stack left"):
        dynamodb, sqs = stack.client(environment, "dynamodb"), stack.client(environment, "sqs")
        for name in checks.tables_of(environment):
            # The scan looks for a single item. The table's own count of items may be six hours old.
            if only_empty and dynamodb.scan(TableName=name, Limit=1, ConsistentRead=True)["Items"]:
                continue
            if _is_protected(dynamodb, name):
                dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
                dynamodb.get_waiter("table_exists").wait(TableName=name)
            dynamodb.delete_table(TableName=name)
            dynamodb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 2, "MaxAttempts": 150})
        for name in checks.queues_of(environment):
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            if only_empty and _holds_messages(sqs, url):
                continue
            sqs.delete_queue(QueueUrl=url)
        _delete_buckets(environment, only_empty)


def _delete_buckets(environment: Environment, only_empty: bool) -> None:
    """Deletes the archive with its rows. Its objects have no old versions."""
    s3 = stack.client(environment, "s3")
    for name in checks.buckets_of(environment):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name)
        found = ([{"Key": item["Key"]} for item in page.get("Contents", [])] for page in pages)
        pages_of_keys = (keys for keys in found if keys)
        if only_empty and next(pages_of_keys, None):
            continue
        for keys in pages_of_keys:
            failed = s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True}).get("Errors")
            if failed:
                raise Failure(
                    f"The object {failed[0]['Key']} of the bucket {name} could not be deleted: {failed[0].get('Message')}",
                    "Delete the bucket by hand, or run the same command again.",
                )
        s3.delete_bucket(Bucket=name)


def _is_protected(dynamodb: Any, name: str) -> bool:
    # The emulator returns the text of the template's parameter, and takes any text for a protection.
    return dynamodb.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled") not in (False, None)


def _holds_messages(sqs: Any, url: str) -> bool:
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return any(int(value) for name, value in counts.items() if name.startswith("ApproximateNumberOfMessages"))
