// POSTBACK_URL=https://… node postback-token.mjs user_id=12345 click_id=67890 transaction_id=1 currency=USD amount_decimal=1.00

/** Returns the status and the body. After 429, 5xx or no answer, send the same call again, with growing pauses. */
export async function send(url, parameters) {
  const answer = await fetch(`${url}?${new URLSearchParams(parameters)}`, { signal: AbortSignal.timeout(30_000) });
  return [answer.status, await answer.text()];
}

if (process.env.POSTBACK_URL) {
  const parameters = process.argv.slice(2).map((argument) => argument.split(/=(.*)/s).slice(0, 2));
  console.log(...(await send(process.env.POSTBACK_URL, parameters)));
}
