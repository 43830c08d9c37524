"""Copies of the partner files whose webhooks lead to the partner simulator.

The originals are the files that an operator would apply on AWS. A copy changes only the scheme and host of each webhook, and
puts the partner's name first in its path, as the simulator requires. Everything else is identical, so a fault in a copy is
in the same line of the original.
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
    """Copies every partner file. Fails if a webhook cannot be changed, because it would call the real partner."""
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir(parents=True)
    for path in sorted(originals.glob("*.y*ml")):
        text = path.read_text(encoding="utf-8")
        (copies / path.name).write_text(_led_to(text, f"{simulator_url}/{path.stem}", path), encoding="utf-8")


def _led_to(text: str, base: str, path: Path) -> str:
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as fault:
        raise Failure(f"{path} cannot be read: {fault}", "Correct it, then try again.") from fault
    # YAML aliases may lead to the same place twice, so places are unique. Replacing from the end keeps earlier places
    # valid.
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
            f"{path}:{node.start_mark.line + 1}: this webhook's URL has no readable scheme and host.",
            "Write it as https://host/path, without escapes.",
        )
    return written.replace(origin, base, 1)


def _found(node: yaml.Node | None, keys: tuple[str, ...]) -> Iterator[yaml.ScalarNode]:
    """Yields the scalars under these keys. The key `*` means every item of a list."""
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
