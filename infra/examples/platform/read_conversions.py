# QUEUE_URL=https://sqs.… STORE=conversions.db python3 read_conversions.py
import json
import os
import sqlite3
from decimal import Decimal

import boto3

TABLE = """
    create table if not exists conversions (provider, transaction_id, correction, state, message,
                                            primary key (provider, transaction_id))"""
# Keeps the highest (correction, state) of each transaction, in whatever order and however often messages come.
STORE = """
    insert into conversions values (:provider, :transaction_id, :correction, :rank, :message)
    on conflict (provider, transaction_id)
    do update set correction = excluded.correction, state = excluded.state, message = excluded.message
    where (excluded.correction, excluded.state) > (conversions.correction, conversions.state)"""
OF_STATE = "select {} from conversions where state = ?"
STATES = ["pending", "approved", "rejected"]


def store(database: sqlite3.Connection, message: str) -> None:
    conversion = {"correction": 0, "state": "approved", **json.loads(message)}
    with database:
        database.execute(STORE, {**conversion, "rank": STATES.index(conversion["state"]), "message": message})


def totals(database: sqlite3.Connection) -> dict[str, Decimal]:
    """Sums the approved transactions by currency. An adjustment is one of them, with a negative amount. It counts as
    nothing if the transaction that it names is rejected."""
    sums: dict[str, Decimal] = {}
    rejected = set(database.execute(OF_STATE.format("provider, transaction_id"), [STATES.index("rejected")]))
    for (message,) in database.execute(OF_STATE.format("message"), [STATES.index("approved")]):
        conversion = json.loads(message)
        original = conversion.get("original")
        if isinstance(original, dict) and (conversion["provider"], original["transaction_id"]) in rejected:
            continue
        amount = Decimal(conversion["amount_decimal"])
        sums[conversion["currency"]] = sums.get(conversion["currency"], Decimal(0)) + amount
    return sums


if __name__ == "__main__":
    database = sqlite3.connect(os.environ["STORE"])
    database.execute(TABLE)
    sqs, queue = boto3.client("sqs"), os.environ["QUEUE_URL"]
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages"):
        for message in messages:
            store(database, message["Body"])
            # A message is deleted only after it was stored. Until then it comes again.
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    for currency, total in sorted(totals(database).items()):
        print(currency, total)
