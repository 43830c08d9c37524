// Makes one conditional put. A known transaction's item comes back with the failure.
import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { admitted, answer, log, parse, receipt } from './postback.mjs';
import { serve } from './runtime.mjs';

const client = new DynamoDBClient({});
const FIELDS = ['user_id', 'click_id', 'currency', 'amount_decimal', 'event_id', 'event_name'];

const handler = async (event) => {
  const { provider } = event.pathParameters;
  if (!admitted(event.pathParameters)) return answer(401, { title: 'Unauthorized' });
  const { content, faults } = parse(event.rawQueryString);
  if (faults.length > 0) return answer(400, { faults });
  const { transaction_id, ...rest } = content;
  const given = receipt();
  const Item = { pk: { S: `${provider}#${transaction_id}` } };
  for (const [name, value] of Object.entries({ ...rest, ...given })) Item[name] = { S: value };
  try {
    await client.send(new PutItemCommand({
      TableName: process.env.TABLE, Item,
      ConditionExpression: 'attribute_not_exists(pk)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    }));
    log('accepted', provider, transaction_id);
    return answer(200, { status: 'accepted', transaction_id, ...given });
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException) || !error.Item) return answer(503, { title: 'Unavailable' });
    const differences = FIELDS.filter((name) => (error.Item[name]?.S ?? '') !== (rest[name] ?? ''));
    if (differences.length > 0) {
      log('conflict', provider, transaction_id);
      return answer(409, { status: 'conflict', differences });
    }
    log('duplicate', provider, transaction_id);
    return answer(200, { status: 'duplicate', transaction_id, receipt_id: error.Item.receipt_id.S, received_at: error.Item.received_at.S });
  }
};

await serve(handler);
