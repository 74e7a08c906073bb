"""Keeps a table of the seats that paid courses give, from Paystream's events.

Needs nats-py. Run: python consumer.py nats://127.0.0.1:4222 seats.db
"""

import argparse
import asyncio
import json
import sqlite3
import sys

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy

STREAM = "PAYSTREAM"
# One kind of event, one order type, all parts: other orders are never sent here.
SUBJECT = "paystream.v1.pay_record.PaymentConfirmed.course.*"

TABLES = """
create table if not exists seat (order_id text primary key, buyer_id text not null, amount integer not null, paid_at text not null);
create table if not exists progress (subject text primary key, position integer not null, sequence integer not null, lineage text not null);
"""


class Hole(Exception):
    """Something lies between what is known and what has come."""


class Seats:
    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.executescript(TABLES)
        self.handled = self.skipped = 0

    def next_sequence(self):
        (last,) = self.db.execute("select coalesce(max(sequence), 0) from progress").fetchone()
        return last + 1

    def handle(self, message):
        position = int(message.headers["Paystream-Position"])
        previous = message.headers.get("Paystream-Previous")
        lineage = message.headers["Paystream-Lineage"]
        known = self.db.execute("select position, lineage from progress where subject = ?", (message.subject,)).fetchone()
        if known and known[1] != lineage:
            sys.exit(f"the log was restored: its lineage was {known[1]} and is {lineage}; begin with an empty database")
        if known and position <= known[0]:
            self.skipped += 1
            return
        if (int(previous) if previous else None) != (known[0] if known else None):
            raise Hole(f"{message.subject}: {position} follows {previous}, and the last one here is {known and known[0]}")
        event = json.loads(message.data)
        # The effect and how far it goes are one transaction: both are kept, or neither.
        with self.db:
            self.db.execute(
                "insert into seat values (?, ?, ?, ?) on conflict do nothing",
                (event["order_id"], event["buyer_id"], event["amount"], event["paid_at"]),
            )
            self.db.execute(
                "insert or replace into progress values (?, ?, ?, ?)",
                (message.subject, position, message.metadata.sequence.stream, lineage),
            )
        self.handled += 1


async def read(jetstream, seats, first, idle):
    config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=first)
    subscription = await jetstream.subscribe(SUBJECT, stream=STREAM, ordered_consumer=True, config=config)
    try:
        while True:
            try:
                message = await subscription.next_msg(timeout=idle or 60)
            except (asyncio.TimeoutError, nats.errors.TimeoutError):
                if idle:
                    return
                continue
            seats.handle(message)
    finally:
        await subscription.unsubscribe()


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("database")
    arguments.add_argument("--idle", type=float, help="end after so many seconds without a message")
    chosen = arguments.parse_args()
    seats = Seats(chosen.database)
    connection = await nats.connect(chosen.url)
    jetstream = connection.jetstream()
    try:
        try:
            await read(jetstream, seats, seats.next_sequence(), chosen.idle)
        except Hole as hole:
            # A stream that was lost and filled again may count anew: from its start, what is known is passed over.
            print(f"read again from the start: {hole}", file=sys.stderr)
            await read(jetstream, seats, 1, chosen.idle)
    except Hole as hole:
        print(f"hole: {hole}", file=sys.stderr)
        sys.exit(3)
    finally:
        await connection.close()
    rows = seats.db.execute("select order_id, buyer_id, amount from seat order by rowid").fetchall()
    keys = ("order_id", "buyer_id", "amount")
    print(json.dumps({"handled": seats.handled, "skipped": seats.skipped, "seats": [dict(zip(keys, row)) for row in rows]}))


asyncio.run(main())
