"""Reads and checks a postback, for both variants."""

import hashlib
import hmac
import json
import os
import re
import uuid
from datetime import datetime, timezone
from urllib.parse import parse_qs

REQUIRED = ("user_id", "click_id", "transaction_id", "currency", "amount_decimal")
OPTIONAL = ("event_id", "event_name")
HASHES = json.loads(os.environ["TOKEN_HASHES"])
NOBODY = "0" * 64


def admitted(path: dict) -> bool:
    sent = hashlib.sha256(path.get("token", "").encode()).hexdigest()
    known = HASHES.get(path["provider"])
    return hmac.compare_digest(sent, known or NOBODY) and known is not None


def parse(query: str) -> tuple[dict, list]:
    parameters = parse_qs(query, keep_blank_values=True)
    content, faults = {}, []
    for name in REQUIRED + OPTIONAL:
        values = parameters.get(name, [])
        if len(values) > 1:
            faults.append({"parameter": name, "code": "repeated"})
        elif values and values[0]:
            content[name] = values[0]
        elif name in REQUIRED:
            faults.append({"parameter": name, "code": "missing"})
    if "currency" in content and not re.fullmatch(r"[A-Z]{3,4}", content["currency"]):
        faults.append({"parameter": "currency", "code": "unknown_currency"})
    if "amount_decimal" in content and not re.fullmatch(r"\d{1,15}(\.\d{1,8})?", content["amount_decimal"]):
        faults.append({"parameter": "amount_decimal", "code": "not_an_amount"})
    return content, faults


def receipt() -> dict:
    return {"receipt_id": str(uuid.uuid4()), "received_at": datetime.now(timezone.utc).isoformat()}


def answer(status: int, body: dict) -> dict:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


def log(outcome: str, provider: str, transaction_id: str) -> None:
    line = {"level": "INFO", "timestamp": datetime.now(timezone.utc).isoformat(), "message": "postback"}
    print(json.dumps({**line, "outcome": outcome, "provider": provider, "transaction_id": transaction_id}), flush=True)
