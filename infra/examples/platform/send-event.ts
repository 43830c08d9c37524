// QUEUE_URL=https://sqs.… npx tsx send-event.ts user.registered gg3-42 '{"method": "google"}'
import { randomUUID } from "node:crypto";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

interface Event {
  id: string;
  type: string;
  user_id: string;
  occurred_at: string;
  [field: string]: unknown;
}

/** Makes an event. Store it before you send it, so that a repetition has the same id and time. */
export function event(type: string, user_id: string, fields: Record<string, unknown>): Event {
  return { id: randomUUID(), type, user_id, occurred_at: new Date().toISOString(), ...fields };
}

/** Sends an event. If this fails, send the same event again; it counts once, however often it comes. */
export async function send(sqs: SQSClient, queue: string | undefined, event: Event): Promise<void> {
  await sqs.send(new SendMessageCommand({ QueueUrl: queue, MessageBody: JSON.stringify(event) }));
}

const [type = "", user = "", fields = "{}"] = process.argv.slice(2);
const made = event(type, user, JSON.parse(fields));
await send(new SQSClient({}), process.env.QUEUE_URL, made);
console.log(JSON.stringify(made));
