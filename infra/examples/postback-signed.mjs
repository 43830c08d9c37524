// POSTBACK_URL=https://… PROVIDER=acme SECRET=… node postback-signed.mjs user_id=12345 click_id=67890 …
import { createHmac } from "node:crypto";

const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** Returns the signature of these parameters, pairs of name and value. Send it with them, as `signature`. */
export function sign(parameters, provider, secret) {
  const pairs = [...parameters, ["provider", provider]].map(([name, value]) => [encode(name), encode(value)]);
  const text = pairs.sort(([a], [b]) => (a < b ? -1 : 1)).map((pair) => pair.join("=")).join("&");
  return createHmac("sha256", secret).update(text).digest("hex");
}

/** Returns the status and the body. After 429, 5xx or no answer, send the same call again, with growing pauses. */
export async function send(url, parameters, provider, secret) {
  const query = new URLSearchParams([...parameters, ["signature", sign(parameters, provider, secret)]]);
  const answer = await fetch(`${url}?${query}`, { signal: AbortSignal.timeout(30_000) });
  return [answer.status, await answer.text()];
}

if (process.env.POSTBACK_URL) {
  const parameters = process.argv.slice(2).map((argument) => argument.split(/=(.*)/s).slice(0, 2));
  console.log(...(await send(process.env.POSTBACK_URL, parameters, process.env.PROVIDER, process.env.SECRET)));
}
