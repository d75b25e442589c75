// node live.ts API FEATURES SECONDS: asks /livez all the time while 20 predictions a second are wanted, and prints the 99th
// percentile of its milliseconds. COOKIE is a signed-in owner's.
import { setTimeout as sleep } from 'node:timers/promises';

const [api, features, seconds] = process.argv.slice(2);
const end = performance.now() + Number(seconds) * 1_000;
const body = JSON.stringify({ instances: [Array(Number(features)).fill(0)] });
const headers = { 'content-type': 'application/json', cookie: process.env.COOKIE ?? '' };
const codes: Record<string, number> = {};

async function want(): Promise<void> {
  const asked: Promise<void>[] = [];
  while (performance.now() < end) {
    asked.push(
      fetch(`${api}/api/v1/organizations/acme/predictions`, { method: 'POST', headers, body })
        .then((response) => response.json() as Promise<{ code?: string }>)
        .then(({ code = 'answered' }) => void (codes[code] = (codes[code] ?? 0) + 1)),
    );
    await sleep(50);
  }
  await Promise.all(asked);
}

const milliseconds: number[] = [];
const wanting = want();
while (performance.now() < end) {
  const started = performance.now();
  await (await fetch(`${api}/livez`)).text();
  milliseconds.push(performance.now() - started);
  await sleep(5);
}
await wanting;
milliseconds.sort((a, b) => a - b);
const p99 = milliseconds[Math.floor(milliseconds.length * 0.99)];
process.stdout.write(JSON.stringify({ p99, codes }));
