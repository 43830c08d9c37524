// Reads and checks a postback, for both variants.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';

const REQUIRED = ['user_id', 'click_id', 'transaction_id', 'currency', 'amount_decimal'];
const hashes = new Map(Object.entries(JSON.parse(process.env.TOKEN_HASHES)).map(([provider, hex]) => [provider, Buffer.from(hex, 'hex')]));
const nobody = Buffer.alloc(32);

export const admitted = ({ provider, token }) => {
  const sent = createHash('sha256').update(token ?? '').digest();
  const known = hashes.get(provider);
  return timingSafeEqual(sent, known ?? nobody) && known !== undefined;
};

export const parse = (query) => {
  const parameters = new URLSearchParams(query);
  const faults = [];
  const content = {};
  for (const name of [...REQUIRED, 'event_id', 'event_name']) {
    const values = parameters.getAll(name);
    if (values.length > 1) faults.push({ parameter: name, code: 'repeated' });
    else if (values[0]) content[name] = values[0];
    else if (REQUIRED.includes(name)) faults.push({ parameter: name, code: 'missing' });
  }
  if (content.currency && !/^[A-Z]{3,4}$/.test(content.currency)) faults.push({ parameter: 'currency', code: 'unknown_currency' });
  if (content.amount_decimal && !/^\d{1,15}(\.\d{1,8})?$/.test(content.amount_decimal)) faults.push({ parameter: 'amount_decimal', code: 'not_an_amount' });
  return { content, faults };
};

export const receipt = () => ({ receipt_id: randomUUID(), received_at: new Date().toISOString() });

export const answer = (statusCode, body) => ({ statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

export const log = (outcome, provider, transaction_id) => console.log(JSON.stringify({ level: 'INFO', timestamp: new Date().toISOString(), message: 'postback', outcome, provider, transaction_id }));
