"""Prints shared/domain/src/values/money/iso_4217.rs: the currencies of ISO 4217, and the successors of withdrawn ones.

`make currencies` runs this script with the packages of infra/requirements-currencies.txt.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from importlib.resources import files
from typing import NamedTuple
from xml.etree import ElementTree

from babel.core import get_global


class Use(NamedTuple):
    """The time in which a territory used a currency."""

    code: str
    begin: tuple[int, int, int] | None
    end: tuple[int, int, int] | None
    is_tender: bool


def main() -> None:
    table = ElementTree.fromstring((files("iso4217") / "table.xml").read_bytes())
    listed = {entry.findtext("Ccy"): entry for entry in table.iter("CcyNtry") if entry.findtext("Ccy")}
    territories = {name: [Use(*use) for use in uses] for name, uses in get_global("territory_currencies").items()}
    tender = {use.code for uses in territories.values() for use in uses if use.is_tender}
    # A code that begins with X and is nobody's legal tender is a metal, a unit of account, or for tests.
    not_money = {code for code in listed if code.startswith("X") and code not in tender}
    current = {code for code in listed if code not in not_money}
    print("//! Lists the currencies of ISO 4217. `make currencies` makes this file; do not change it by hand.")
    print("//!")
    print(f"//! Current codes are from the official table in the Python package iso4217 {version('iso4217')}. Withdrawals and")
    print(f"//! successors are from Unicode's CLDR in Babel {version('Babel')}.")
    print()
    print("/// Holds the date of the official table.")
    print(f"pub const PUBLISHED: &str = {rust(table.attrib['Pblshd'])};")
    rows(
        "Maps the codes of money to their numbers, in order.",
        "CURRENT: [(&str, &str); {}]",
        [(code, listed[code].findtext("CcyNbr")) for code in sorted(current)],
    )
    rows(
        "Maps the codes of ISO 4217 that are no money to their names, in order.",
        "NOT_MONEY: [(&str, &str); {}]",
        [(code, " ".join(listed[code].findtext("CcyNm").split())) for code in sorted(not_money)],
    )
    rows(
        "Lists the withdrawn codes in order, with the day on which each ended and its successor, if there is exactly one.",
        "WITHDRAWN: [(&str, &str, &str); {}]",
        withdrawn(territories, set(listed), current),
    )


def withdrawn(territories: dict[str, list[Use]], listed: set[str], current: set[str]) -> list[tuple[str, str, str]]:
    uses: dict[str, list[tuple[Use, str]]] = {}
    for territory in territories.values():
        today = [use for use in territory if use.is_tender and use.end is None and use.code in current]
        newest = max(today, key=lambda use: use.begin or (0, 0, 0), default=None)
        for use in territory:
            if use.code not in listed and use.end is not None:
                uses.setdefault(use.code, []).append((use, newest.code if newest and use.is_tender else ""))
    rows = []
    for code, ended in sorted(uses.items()):
        end = max(use.end for use, _ in ended)
        # Some territories gave the currency up years before the others. They say nothing about its successor.
        successors = {successor for use, successor in ended if use.end[0] >= end[0] - 1}
        rows.append((code, "{:04}-{:02}-{:02}".format(*end), successors.pop() if len(successors) == 1 else ""))
    return rows


def rows(says: str, declared: str, values: list[tuple[str, ...]]) -> None:
    print(f"\n/// {says}")
    print("#[rustfmt::skip]")
    print(f"pub(super) const {declared.format(len(values))} = [")
    line = ""
    for value in values:
        row = f"({', '.join(map(rust, value))}),"
        if line and len(line) + len(row) > 112:
            print(f"    {line}")
            line = ""
        line = f"{line} {row}".strip()
    print(f"    {line}")
    print("];")


def rust(text: str | None) -> str:
    return json.dumps(text or "", ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
