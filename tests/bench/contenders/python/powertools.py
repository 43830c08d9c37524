"""Lets Powertools keep the answer and give it again. Changed content fails its validation."""

import os

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyValidationError

from postback import admitted, answer, log, parse, receipt
from runtime import serve

STORE = DynamoDBPersistenceLayer(table_name=os.environ["TABLE"])
CONFIG = IdempotencyConfig(
    event_key_jmespath="key", payload_validation_jmespath="content", expires_after_seconds=10 * 365 * 86400
)


@idempotent_function(data_keyword_argument="call", persistence_store=STORE, config=CONFIG)
def record(call: dict) -> dict:
    return {"transaction_id": call["content"]["transaction_id"], **receipt()}


def handler(event, context):
    path = event["pathParameters"]
    if not admitted(path):
        return answer(401, {"title": "Unauthorized"})
    content, faults = parse(event["rawQueryString"])
    if faults:
        return answer(400, {"faults": faults})
    provider, transaction_id = path["provider"], content["transaction_id"]
    CONFIG.register_lambda_context(context)
    try:
        given = record(call={"key": f"{provider}#{transaction_id}", "content": content})
    except IdempotencyValidationError:
        log("conflict", provider, transaction_id)
        return answer(409, {"status": "conflict"})
    log("recorded", provider, transaction_id)
    return answer(200, {"status": "recorded", **given})


serve(handler)
