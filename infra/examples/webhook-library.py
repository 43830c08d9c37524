# pip install standardwebhooks
# SECRET=whsec_… python3 webhook-library.py METHOD TARGET WEBHOOK-ID WEBHOOK-TIMESTAMP WEBHOOK-SIGNATURE < body
import json
import os
import sys

from standardwebhooks import Webhook


def verify(secret: str, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
    """Raises WebhookVerificationError if the request is not ours. `target` is path and query, exactly as received."""
    Webhook(secret).verify(json.dumps(target) if method == "GET" else body, headers)


if __name__ == "__main__":
    method, target, id, timestamp, signature = sys.argv[1:]
    headers = {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    verify(os.environ["SECRET"], method, target, headers, sys.stdin.buffer.read())
    print("ours")
