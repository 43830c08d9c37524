// SECRET=whsec_… node webhook.mjs WEBHOOK-ID WEBHOOK-TIMESTAMP WEBHOOK-SIGNATURE [NOW] < payload
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

/**
 * Verifies a signature. `payload`, a Buffer, is a POST's body, or a GET's path and query in double quotes, exactly as
 * received: `"${request.url}"`.
 */
export function isOurs(secret, id, timestamp, signatures, payload, now = Date.now() / 1000) {
  if (!/^\d+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > 300) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const made = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(payload).digest("base64");
  const expected = Buffer.from(`v1,${made}`);
  const same = (one) => one.length === expected.length && timingSafeEqual(one, expected);
  return signatures.split(" ").some((one) => same(Buffer.from(one)));
}

if (process.env.SECRET) {
  const [id, timestamp, signatures, now] = process.argv.slice(2);
  const at = now === undefined ? undefined : Number(now);
  console.log(isOurs(process.env.SECRET, id, timestamp, signatures, readFileSync(0), at) ? "ours" : "not ours");
}
