// Runs the Runtime API's loop and nothing else. It is lighter than the loop of Lambda's own image, so it is no
// handicap.
import http from 'node:http';

const agent = new http.Agent({ keepAlive: true, maxSockets: 1, noDelay: true });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');

const call = (method, path, body) => new Promise((resolve, reject) => {
  const request = http.request({ agent, host, port, method, path: `/2018-06-01/runtime${path}` }, (response) => {
    const chunks = [];
    response.on('data', (chunk) => chunks.push(chunk));
    response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
  });
  request.on('error', reject);
  request.end(body);
});

export const serve = async (handler) => {
  for (;;) {
    const next = await call('GET', '/invocation/next');
    const id = next.headers['lambda-runtime-aws-request-id'];
    const deadline = Number(next.headers['lambda-runtime-deadline-ms']);
    const context = { awsRequestId: id, functionName: 'postback', getRemainingTimeInMillis: () => deadline - Date.now() };
    const response = await handler(JSON.parse(next.body), context);
    await call('POST', `/invocation/${id}/response`, JSON.stringify(response));
  }
};
