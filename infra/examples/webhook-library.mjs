// npm install standardwebhooks
// SECRET=whsec_… node webhook-library.mjs METHOD TARGET WEBHOOK-ID WEBHOOK-TIMESTAMP WEBHOOK-SIGNATURE < body
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

/** Throws if the request is not ours. `target` is path and query as received: `request.url`, Express `originalUrl`. */
export function verify(secret, method, target, headers, body) {
  new Webhook(secret).verify(method === "GET" ? JSON.stringify(target) : body, headers);
}

if (process.env.SECRET) {
  const [method, target, id, timestamp, signature] = process.argv.slice(2);
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
  verify(process.env.SECRET, method, target, headers, readFileSync(0));
  console.log("ours");
}
