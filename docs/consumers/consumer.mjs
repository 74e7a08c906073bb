// Keeps a list of the seats that paid courses give, from Paystream's events.
//
// Needs the npm package nats. Run: node consumer.mjs nats://127.0.0.1:4222 seats.json

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { connect, DeliverPolicy } from "nats";

const STREAM = "PAYSTREAM";
// One kind of event, one order type, all parts: other orders are never sent here.
const SUBJECT = "paystream.v1.pay_record.PaymentConfirmed.course.*";

/** Something lies between what is known and what has come. */
class Hole extends Error {}

class Seats {
  handled = 0;
  skipped = 0;

  constructor(path) {
    this.path = path;
    this.state = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { lineage: null, sequence: 0, positions: {}, seats: {} };
  }

  handle(message) {
    const position = Number(message.headers.get("Paystream-Position"));
    const before = message.headers.get("Paystream-Previous");
    const previous = before === "" ? undefined : Number(before);
    const lineage = message.headers.get("Paystream-Lineage");
    if (this.state.lineage !== null && this.state.lineage !== lineage) {
      throw new Error(`the log was restored: its lineage was ${this.state.lineage} and is ${lineage}; begin with an empty file`);
    }
    const known = this.state.positions[message.subject];
    if (known !== undefined && position <= known) {
      this.skipped += 1;
      return;
    }
    if (previous !== known) {
      throw new Hole(`${message.subject}: ${position} follows ${previous}, and the last one here is ${known}`);
    }
    const { order_id, buyer_id, amount } = message.json();
    this.state.seats[order_id] ??= { order_id, buyer_id, amount };
    this.state.positions[message.subject] = position;
    this.state.sequence = message.seq;
    this.state.lineage = lineage;
    this.keep();
    this.handled += 1;
  }

  /** The effect and how far it goes are one file, which is replaced whole: both are kept, or neither. */
  keep() {
    const file = openSync(`${this.path}.new`, "w");
    writeSync(file, JSON.stringify(this.state));
    fsyncSync(file);
    closeSync(file);
    renameSync(`${this.path}.new`, this.path);
  }
}

async function read(jetstream, seats, first, idle) {
  const consumer = await jetstream.consumers.get(STREAM, {
    filterSubjects: SUBJECT,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: first,
  });
  const messages = await consumer.consume();
  let timer;
  const wait = () => {
    clearTimeout(timer);
    if (idle) timer = setTimeout(() => messages.stop(), idle * 1000);
  };
  wait();
  try {
    for await (const message of messages) {
      seats.handle(message);
      wait();
    }
  } finally {
    clearTimeout(timer);
    messages.stop();
  }
}

const [url, path, , idle] = process.argv.slice(2);
if (path === undefined) {
  console.error("usage: node consumer.mjs URL FILE [--idle SECONDS]");
  process.exit(2);
}
const seats = new Seats(path);
const connection = await connect({ servers: url });
const jetstream = connection.jetstream();
try {
  try {
    await read(jetstream, seats, seats.state.sequence + 1, Number(idle ?? 0));
  } catch (error) {
    if (!(error instanceof Hole)) throw error;
    // A stream that was lost and filled again may count anew: from its start, what is known is passed over.
    console.error(`read again from the start: ${error.message}`);
    await read(jetstream, seats, 1, Number(idle ?? 0));
  }
  console.log(JSON.stringify({ handled: seats.handled, skipped: seats.skipped, seats: Object.values(seats.state.seats) }));
} catch (error) {
  console.error(error instanceof Hole ? `hole: ${error.message}` : error.message);
  process.exitCode = error instanceof Hole ? 3 : 1;
} finally {
  await connection.close();
}
