// QUEUE_URL=https://sqs.… STORE=conversions.json npx tsx read-conversions.ts
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

interface Conversion {
  provider: string;
  transaction_id: string;
  correction?: number;
  state?: "pending" | "approved" | "rejected";
  currency: string;
  amount_decimal: string;
  original?: "unknown" | { transaction_id: string };
}
const STATES = ["pending", "approved", "rejected"];
const rank = ({ correction = 0, state = "approved" }: Conversion) => correction * STATES.length + STATES.indexOf(state);

const keyOf = (provider: string, transaction: string) => JSON.stringify([provider, transaction]);

const file = process.env.STORE ?? "conversions.json";
const stored = new Map<string, Conversion>(existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : []);

/** Keeps the highest (correction, state) of each transaction, in whatever order and however often messages come. */
function store(conversion: Conversion): void {
  const key = keyOf(conversion.provider, conversion.transaction_id);
  const known = stored.get(key);
  if (known && rank(known) >= rank(conversion)) return;
  stored.set(key, conversion);
  // A database does this with one conditional write.
  writeFileSync(`${file}.new`, JSON.stringify([...stored]));
  renameSync(`${file}.new`, file);
}

/** Returns an amount in units of 10⁻⁸. JavaScript's numbers would round it. */
function units(amount: string): bigint {
  const [whole, fraction = ""] = amount.split(".");
  return BigInt(whole + fraction.padEnd(8, "0"));
}

function decimal(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(9, "0");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -8)}.${digits.slice(-8)}`;
}

const sqs = new SQSClient({});
const queue = { QueueUrl: process.env.QUEUE_URL };
for (;;) {
  const receive = new ReceiveMessageCommand({ ...queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 2 });
  const { Messages = [] } = await sqs.send(receive);
  if (Messages.length === 0) break;
  for (const { Body = "", ReceiptHandle } of Messages) {
    store(JSON.parse(Body));
    // A message is deleted only after it was stored. Until then it comes again.
    await sqs.send(new DeleteMessageCommand({ ...queue, ReceiptHandle }));
  }
}

// An adjustment is an approved transaction of its own, with a negative amount. It counts as nothing if the transaction
// that it names is rejected.
const totals = new Map<string, bigint>();
for (const { provider, state = "approved", currency, amount_decimal, original } of stored.values()) {
  const named = typeof original === "object" ? stored.get(keyOf(provider, original.transaction_id)) : undefined;
  if (state === "approved" && named?.state !== "rejected") totals.set(currency, (totals.get(currency) ?? 0n) + units(amount_decimal));
}
for (const [currency, total] of [...totals].sort()) console.log(currency, decimal(total));
