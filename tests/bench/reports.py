"""Makes rows of an archive over a month, and answers and times queries over them with DuckDB.

`reports.py FOLDER ROWS` makes the rows, unless they are there, and then answers one question a line.
"""

import glob
import json
import os
import sys
import time

import duckdb

FOLDER, ROWS = sys.argv[1], int(sys.argv[2])
FORMATS = {"json": "FORMAT json, COMPRESSION gzip", "parquet": "FORMAT parquet"}


def at(seconds: str) -> str:
    return f"strftime(TIMESTAMP '2026-11-01' + INTERVAL 1 SECOND * ({seconds}), '%Y-%m-%d %H:%M:%S.%g')"


def digest(text: str) -> str:
    return f"md5(CAST({text} AS VARCHAR))"


SPREAD = f"(i * 2592000.0 / {ROWS})::BIGINT"
PARTNER = "'partner-' || (i % 40) AS provider"
STATE = "CASE WHEN i % 5 = 0 THEN 'pending' ELSE 'approved' END"
# Each table's columns, the expression of its number of rows, and the column by whose day it is divided.
TABLES = {
    "transactions": (
        f"{PARTNER}, {digest('i')} AS transaction_hash, 0 AS revision, 'original' AS kind, 0 AS correction, {STATE} AS state, "
        f"{at(SPREAD)} AS received_at, {at(SPREAD)} AS recorded_at, CASE WHEN i % 3 = 0 THEN 'EUR' ELSE 'USD' END AS currency, "
        "(i % 10000 / 100.0)::DECIMAL(18, 2)::VARCHAR AS amount, CASE WHEN i % 4 = 0 THEN 'purchase' END AS event_id, "
        f"'verified' AS click, {digest('-i')} AS user_hash, {digest('i % ' + str(ROWS // 2))} AS click_hash, NULL::VARCHAR AS reverses",
        ROWS,
        "recorded_at",
    ),
    "refusals": (
        f"{PARTNER}, {digest('i // 3')} AS content_hash, 'refusal' AS kind, "
        "CASE WHEN i % 2 = 0 THEN 'missing' ELSE 'missing,unknown_currency' END AS codes, "
        f"{at('i % 1000')} AS first_received_at, {at(SPREAD)} AS seen_at, i % 3 + 1 AS times, NULL::VARCHAR AS resolution, "
        "NULL::VARCHAR AS resolved_at, NULL::VARCHAR AS transaction_hash, NULL::VARCHAR AS user_hash, NULL::VARCHAR AS click_hash",
        ROWS,
        "seen_at",
    ),
    "clicks": (
        f"{PARTNER}, 'welcome' AS landing, {digest('i')} AS click_hash, {digest('-i')} AS user_hash, {at(SPREAD)} AS clicked_at",
        ROWS // 2,
        "clicked_at",
    ),
    "openings": (
        f"{PARTNER}, {digest('i')} AS opening_hash, {digest('-i')} AS user_hash, {at(SPREAD)} AS opened_at, "
        "NULL::VARCHAR AS click_hash, NULL::VARCHAR AS partner_user_hash",
        ROWS // 2,
        "opened_at",
    ),
    "deliveries": (
        "'partner-' || (i // 2 % 40) AS provider, "
        f"'fifty-quests' AS campaign, {digest('i // 2')} AS delivery_hash, {digest('-(i // 2)')} AS user_hash, "
        "NULL::VARCHAR AS click_hash, i % 2 AS revision, CASE WHEN i % 2 = 0 THEN 'pending' ELSE 'delivered' END AS status, "
        f"1 AS round, i % 2 AS attempts, {at('(i // 2) * 4')} AS occurred_at, {at('(i // 2) * 4')} AS created_at, "
        f"CASE WHEN i % 2 = 1 THEN {at('(i // 2) * 4 + i % 977')} END AS ended_at",
        ROWS // 2,
        "created_at",
    ),
    "attempts": (
        f"{PARTNER}, 'fifty-quests' AS campaign, {digest('i')} AS delivery_hash, 1 AS round, 1 AS n, false AS late, "
        f"{at(SPREAD)} AS due_at, {at(SPREAD)} AS sent_at, 20 AS took_ms, '200' AS outcome, 'delivered' AS verdict",
        ROWS // 4,
        "sent_at",
    ),
}


def make() -> None:
    for table, (columns, rows, day) in TABLES.items():
        connection = duckdb.connect()
        connection.execute(f"CREATE TABLE made AS SELECT *, {day}[:10] AS day FROM (SELECT {columns} FROM range({rows}) AS numbers (i))")
        for (one,) in connection.execute("SELECT DISTINCT day FROM made").fetchall():
            for kind, options in FORMATS.items():
                os.makedirs(f"{FOLDER}/{kind}/{table}/day={one}", exist_ok=True)
                file = f"{FOLDER}/{kind}/{table}/day={one}/rows.{'json.gz' if kind == 'json' else kind}"
                connection.execute(f"COPY (SELECT * EXCLUDE (day) FROM made WHERE day = '{one}') TO '{file}' ({options})")
        connection.close()
    open(f"{FOLDER}/made", "w", encoding="utf-8").close()


def ask(kind: str, sql: str) -> dict[str, object]:
    connection = duckdb.connect()
    reader = {"json": "read_json_auto", "parquet": "read_parquet"}[kind]
    for table in TABLES:
        files = sorted(glob.glob(f"{FOLDER}/{kind}/{table}/*/*"))
        options = "union_by_name = true, hive_partitioning = true, hive_types = {'day': VARCHAR}"
        connection.execute(f"CREATE MACRO rows_of_{table}() AS TABLE SELECT * FROM {reader}({files}, {options})")
        sql = sql.replace(f"FROM {table}\n", f"FROM rows_of_{table}()\n")
    begun = time.monotonic()
    rows = connection.execute(sql).fetchall()
    seconds = time.monotonic() - begun
    return {"rows": [[None if cell is None else str(cell) for cell in row] for row in rows], "seconds": seconds}


if not os.path.exists(f"{FOLDER}/made"):
    make()
for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps(ask(question["format"], question["sql"])), flush=True)
