"""Copies of the partner files whose webhooks lead to the partner simulator.

The files themselves are such as an operator applies on AWS. Here only the scheme and host of each webhook change, and the
partner's name comes first in its path, as the simulator wants it: all else is the file to the letter, so a fault that is
found in a copy is in the same line of the file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from .console import Failure

WEBHOOK_URL = ("media_buying", "campaigns", "*", "webhook", "url")
MERGE = "<<"


def make(originals: Path, copies: Path, simulator_url: str) -> None:
    """Copies every partner file, or fails: a webhook that was overlooked would call the partner itself."""
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir(parents=True)
    for path in sorted(originals.glob("*.y*ml")):
        text = path.read_text(encoding="utf-8")
        (copies / path.name).write_text(_led_to(text, f"{simulator_url}/{path.stem}", path), encoding="utf-8")


def _led_to(text: str, base: str, path: Path) -> str:
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as fault:
        raise Failure(f"{path} cannot be read: {fault}", "Mend it, then try again.") from fault
    # Each place once, though YAML's aliases may lead there again; from the end, so that none moves before its turn.
    places = {node.start_mark.index: node for node in _found(document, WEBHOOK_URL)}
    for start, node in sorted(places.items(), reverse=True):
        end = node.end_mark.index
        text = text[:start] + _replaced(text[start:end], node, base, path) + text[end:]
    return text


def _replaced(written: str, node: yaml.ScalarNode, base: str, path: Path) -> str:
    url = urlsplit(node.value)
    origin = f"{url.scheme}://{url.netloc}"
    if not url.netloc or origin not in written:
        raise Failure(
            f"{path}:{node.start_mark.line + 1}: no scheme and host can be seen in this webhook's URL.",
            "Write it as https://host/path, without escapes.",
        )
    return written.replace(origin, base, 1)


def _found(node: yaml.Node | None, keys: tuple[str, ...]) -> Iterator[yaml.ScalarNode]:
    """The texts under these keys; * is every item of a list."""
    if not keys:
        if isinstance(node, yaml.ScalarNode):
            yield node
    elif keys[0] == "*" and isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _found(item, keys[1:])
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == keys[0]:
                yield from _found(value, keys[1:])
            elif key.value == MERGE:
                yield from _found(value, keys)
