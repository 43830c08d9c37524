// Lets Powertools keep the answer and give it again. Changed content fails its validation.
import { IdempotencyConfig, IdempotencyValidationError, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { admitted, answer, log, parse, receipt } from './postback.mjs';
import { serve } from './runtime.mjs';

const persistenceStore = new DynamoDBPersistenceLayer({ tableName: process.env.TABLE });
const config = new IdempotencyConfig({ eventKeyJmesPath: 'key', payloadValidationJmesPath: 'content', expiresAfterSeconds: 10 * 365 * 86400 });
const record = makeIdempotent(async ({ content }) => ({ transaction_id: content.transaction_id, ...receipt() }), { persistenceStore, config });

const handler = async (event, context) => {
  const { provider } = event.pathParameters;
  if (!admitted(event.pathParameters)) return answer(401, { title: 'Unauthorized' });
  const { content, faults } = parse(event.rawQueryString);
  if (faults.length > 0) return answer(400, { faults });
  config.registerLambdaContext(context);
  try {
    const given = await record({ key: `${provider}#${content.transaction_id}`, content });
    log('recorded', provider, content.transaction_id);
    return answer(200, { status: 'recorded', ...given });
  } catch (error) {
    if (!(error instanceof IdempotencyValidationError)) return answer(503, { title: 'Unavailable' });
    log('conflict', provider, content.transaction_id);
    return answer(409, { status: 'conflict' });
  }
};

await serve(handler);
