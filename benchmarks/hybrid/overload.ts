// node overload.ts PROJECT URL POLICY RATE SECONDS: offers RATE calls a second through the generated client, and
// prints how many were answered. POLICY is `ours`, or `usual`: the service's 503 and 504 count as faults and are
// retried, and no deadline is sent.
import { setTimeout as sleep } from 'node:timers/promises';

const [project, url, policy, rate, seconds] = process.argv.slice(2);
const load = (name: string) => import(`${project}/apps/api/src/modules/ml/${name}.ts`);
const { createMlClient } = await load('client');
const { createTransport } = await load('transport');
const { MlUnavailableError } = await load('failures');
const features = JSON.parse(process.env.INSTANCE ?? '[]');

// What a project begins with, but for what the environment says.
const { settings: asked } = await load('settings');
const given: Record<string, string | undefined> = { ...process.env, ML_URL: url };
const settings = Object.fromEntries(
  Object.entries<{ parse(value: unknown): unknown }>(asked).map(([name, one]) => [name, one.parse(given[name])]),
);
const plain = createTransport(settings);
const usual: typeof plain = async (body, context) => {
  const answer = await plain(body, { ...context, timeoutMs: 600_000 });
  if (answer.status === 503 || answer.status === 504) throw new MlUnavailableError('ml_unreachable');
  return answer;
};
const client = createMlClient(settings, () => {}, policy === 'usual' ? usual : plain);

const outcomes: Record<string, number> = {};
const calls: Promise<void>[] = [];
const interval = 1_000 / Number(rate);
const started = performance.now();
for (let n = 0; performance.now() - started < Number(seconds) * 1_000; n++) {
  const caller = { requestId: 'bench', traceparent: '', signal: new AbortController().signal };
  const call = client.predict({ instances: [features] }, caller).then(
    () => 'answered',
    (error: { code?: string }) => error.code ?? 'bug',
  );
  calls.push(call.then((code: string) => void (outcomes[code] = (outcomes[code] ?? 0) + 1)));
  await sleep(Math.max(0, started + (n + 1) * interval - performance.now()));
}
await Promise.all(calls);
process.stdout.write(JSON.stringify(outcomes));
