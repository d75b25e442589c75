// node closed.ts URL KIND CONCURRENCY CALLS FEATURES: makes so many calls, so many at a time, as JSON or as octets, and
// prints the seconds of wall time and of this process's CPU.
const [url, kind, concurrency, calls, features] = process.argv.slice(2);
const row = Float32Array.from({ length: Number(features) }, (_, n) => Math.fround(n * 0.001));
const values = Array.from(row);

async function call(): Promise<void> {
  // What turns numbers into bytes is part of the price.
  const response =
    kind === 'octets'
      ? await fetch(`${url}/v1/predict:tensor`, {
          method: 'POST',
          headers: { 'content-type': 'application/octet-stream', 'x-shape': `1,${row.length}` },
          body: new Uint8Array(row.buffer),
        })
      : await fetch(`${url}/v1/predict`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ instances: [values] }),
        });
  if (!response.ok) throw new Error(await response.text());
  await response.arrayBuffer();
}

async function run(count: number): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: Number(concurrency) }, worker));
}

await run(Math.ceil(Number(calls) / 10));
const cpu = process.cpuUsage();
const started = performance.now();
await run(Number(calls));
const wall = (performance.now() - started) / 1_000;
const used = process.cpuUsage(cpu);
process.stdout.write(JSON.stringify({ wall, cpu: (used.user + used.system) / 1e6 }));
