"""Answers queries over folders of JSON lines with DuckDB, as the local Athena does. One question and answer a line."""

import glob
import json
import sys

import duckdb

for line in sys.stdin:
    question = json.loads(line)
    connection = duckdb.connect()
    try:
        for table in ["transactions", "refusals", "clicks", "openings", "deliveries", "attempts"]:
            files = sorted(glob.glob(f"{question['folder']}/{table}/*/*"))
            if files:
                options = "union_by_name = true, hive_partitioning = true, hive_types = {'day': VARCHAR}"
                connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_json_auto({files}, {options})")
        rows = connection.execute(question["sql"]).fetchall()
        answer = {"rows": [[None if cell is None else str(cell) for cell in row] for row in rows]}
    except duckdb.Error as fault:
        answer = {"fault": str(fault)}
    finally:
        connection.close()
    print(json.dumps(answer), flush=True)
