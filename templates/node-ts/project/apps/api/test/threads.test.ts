import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { ThreadPool } from '../src/queue/threads.ts';

const pool = new ThreadPool<number, number>(new URL('support/primes.ts', import.meta.url), 2);
afterAll(() => pool.close());

it('counts in threads, more tasks than there are threads', async () => {
  const counts = await Promise.all([10, 100, 1_000, 10_000].map((limit) => pool.run(limit)));
  expect(counts).toEqual([4, 25, 168, 1229]);
});

it('leaves the main thread free meanwhile', async () => {
  let done = false;
  let turns = 0;
  const work = pool.run(3_000_000).finally(() => {
    done = true;
  });
  while (!done) {
    await sleep(1);
    turns += 1;
  }
  expect(await work).toBe(216_816);
  // Counted in this thread, it would have had one turn.
  expect(turns).toBeGreaterThan(20);
});

it('tells what its function has thrown, and goes on', async () => {
  await expect(pool.run(-1)).rejects.toThrow('no numbers below zero');
  expect(await pool.run(10)).toBe(4);
});

it('rejects what a thread was doing that ended, and goes on with another', async () => {
  await expect(pool.run(Number.NaN)).rejects.toThrow('The thread has ended');
  expect(await pool.run(10)).toBe(4);
});
