"""Makes one conditional put. A known transaction's item comes back with the failure."""

import os

import boto3
from botocore.exceptions import ClientError

from postback import admitted, answer, log, parse, receipt
from runtime import serve

CLIENT = boto3.client("dynamodb")
FIELDS = ("user_id", "click_id", "currency", "amount_decimal", "event_id", "event_name")


def handler(event, _context):
    path = event["pathParameters"]
    if not admitted(path):
        return answer(401, {"title": "Unauthorized"})
    content, faults = parse(event["rawQueryString"])
    if faults:
        return answer(400, {"faults": faults})
    provider, transaction_id, given = path["provider"], content.pop("transaction_id"), receipt()
    item = {name: {"S": value} for name, value in {**content, **given}.items()}
    try:
        CLIENT.put_item(
            TableName=os.environ["TABLE"],
            Item={"pk": {"S": f"{provider}#{transaction_id}"}, **item},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            return answer(503, {"title": "Unavailable"})
        original = {name: value["S"] for name, value in error.response["Item"].items()}
        differences = [name for name in FIELDS if original.get(name) != content.get(name)]
        if differences:
            log("conflict", provider, transaction_id)
            return answer(409, {"status": "conflict", "differences": differences})
        given = {name: original[name] for name in ("receipt_id", "received_at")}
        log("duplicate", provider, transaction_id)
        return answer(200, {"status": "duplicate", "transaction_id": transaction_id, **given})
    log("accepted", provider, transaction_id)
    return answer(200, {"status": "accepted", "transaction_id": transaction_id, **given})


serve(handler)
