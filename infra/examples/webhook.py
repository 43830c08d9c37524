# SECRET=whsec_… python3 webhook.py WEBHOOK-ID WEBHOOK-TIMESTAMP WEBHOOK-SIGNATURE [NOW] < payload
import base64
import hashlib
import hmac
import os
import sys
import time


def is_ours(secret: str, id: str, timestamp: str, signatures: str, payload: bytes, now: float | None = None) -> bool:
    """Verifies a signature. `payload` is a POST's body, or a GET's path and query in double quotes, exactly as received."""
    if not timestamp.isdecimal() or abs((time.time() if now is None else now) - int(timestamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, f"{id}.{timestamp}.".encode() + payload, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(made)
    return any(hmac.compare_digest(expected, one.encode()) for one in signatures.split(" "))


if __name__ == "__main__":
    id, timestamp, signatures, *now = sys.argv[1:]
    at = float(now[0]) if now else None
    ours = is_ours(os.environ["SECRET"], id, timestamp, signatures, sys.stdin.buffer.read(), at)
    print("ours" if ours else "not ours")
