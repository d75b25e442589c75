import { serveThread } from '../../src/queue/serve-thread.ts';

/** Counts the primes up to a limit, without any cleverness. */
serveThread((limit: number): number => {
  if (Number.isNaN(limit)) process.exit(0);
  if (limit < 0) throw new Error('there are no numbers below zero');
  let count = 0;
  for (let n = 2; n <= limit; n += 1) if (isPrime(n)) count += 1;
  return count;
});

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d += 1) if (n % d === 0) return false;
  return true;
}
