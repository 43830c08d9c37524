# QUEUE_URL=https://sqs.… python3 send_event.py user.registered gg3-42 '{"method": "google"}'
import json
import os
import sys
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import boto3


def event(kind: str, user_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Makes an event. Store it before you send it, so that a repetition has the same id and time."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return {"id": str(uuid4()), "type": kind, "user_id": user_id, "occurred_at": now, **fields}


def send(sqs: Any, queue: str, event: dict[str, Any]) -> None:
    """Sends an event. If this fails, send the same event again; it counts once, however often it comes."""
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))


if __name__ == "__main__":
    made = event(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
    send(boto3.client("sqs"), os.environ["QUEUE_URL"], made)
    print(json.dumps(made))
