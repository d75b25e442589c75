import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { defineModule } from '../module.ts';

const List = z.object({
  items: z.array(z.object({ id: z.int(), name: z.string(), tags: z.array(z.string()), price: z.number() })),
});
const Value = z.object({ value: z.int() });
const list: z.infer<typeof List> = {
  items: Array.from({ length: 20 }, (_, i) => ({ id: i, name: `item ${i}`, tags: ['a', 'b'], price: i * 1.25 })),
};

/** The three workloads that all stacks are compared by. */
export const claims = defineModule({
  name: 'claims',
  register(app) {
    app.get('/claims/json', { schema: { response: { 200: List } } }, async () => list);
    app.get('/claims/io', { schema: { response: { 200: Value } } }, async () => {
      await sleep(50);
      return { value: 0 };
    });
    app.get('/claims/cpu', { schema: { response: { 200: Value } } }, async () => ({ value: primes(200_000) }));
  },
});

function primes(limit: number): number {
  const composite = new Uint8Array(limit + 1);
  let count = 0;
  for (let i = 2; i <= limit; i++) {
    if (composite[i] === 1) continue;
    count++;
    for (let j = i * i; j <= limit; j += i) composite[j] = 1;
  }
  return count;
}
