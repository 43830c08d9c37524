# POSTBACK_URL=https://… PROVIDER=acme SECRET=… python3 postback-signed.py user_id=12345 click_id=67890 …
import hashlib
import hmac
import os
import sys
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import urlopen


def sign(parameters: dict[str, str], provider: str, secret: str) -> str:
    """Returns the signature of these parameters. Send it with them, as `signature`."""
    encoded = [(quote(name, safe=""), quote(value, safe="")) for name, value in parameters.items()]
    text = "&".join(f"{name}={value}" for name, value in sorted([*encoded, ("provider", provider)]))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def send(url: str, parameters: dict[str, str], provider: str, secret: str) -> tuple[int, str]:
    """Returns the status and the body. After 429, 5xx or no answer, send the same call again, with growing pauses."""
    query = urlencode({**parameters, "signature": sign(parameters, provider, secret)})
    try:
        with urlopen(f"{url}?{query}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refusal:
        return refusal.code, refusal.read().decode()


if __name__ == "__main__":
    parameters = dict(argument.split("=", 1) for argument in sys.argv[1:])
    print(*send(os.environ["POSTBACK_URL"], parameters, os.environ["PROVIDER"], os.environ["SECRET"]))
