import { setTimeout as sleep } from 'node:timers/promises';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Counted, Labels, Metrics, Read, Timed } from './metrics.ts';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Whoever scrapes waits ten seconds; a database that does not answer must not cost all the other values. */
const PATIENCE_MS = 3_000;

/** The metrics of one process, and what Node.js says of itself. */
export class Prometheus implements Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  readonly #others: (() => Promise<string>)[] = [];
  readonly #patienceMs: number;

  constructor(patienceMs = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
    collectDefaultMetrics({ register: this.#registry });
  }

  async scrape(): Promise<string> {
    const others = this.#others.map((text) => text().catch(() => ''));
    return (await Promise.all([this.#registry.metrics(), ...others])).join('\n');
  }

  /** A second time, of the same name, it is the same counter. */
  counter<Label extends string>({ name, help, labels }: Counted<Label>) {
    const known = this.#registry.getSingleMetric(name) as Counter<Label> | undefined;
    const labelNames = Object.keys(labels) as Label[];
    const counter =
      known ?? new Counter<Label>({ name, help, labelNames, registers: [this.#registry] });
    for (const each of combinations(labels)) counter.inc(each, 0);
    return (given: Labels<Label>, count = 1) => counter.inc(given, count);
  }

  timer<Label extends string>({ name, help, labels, buckets = SECONDS }: Timed<Label>) {
    const histogram = new Histogram<Label>({
      name,
      help,
      labelNames: [...labels],
      buckets: [...buckets],
      registers: [this.#registry],
    });
    return (given: Labels<Label>, seconds: number) => histogram.observe(given, seconds);
  }

  gauge<Label extends string = never>({ name, help, labels = [], read }: Read<Label>): void {
    const patienceMs = this.#patienceMs;
    new Gauge<Label>({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      async collect() {
        this.reset();
        try {
          const reading = read();
          const values = typeof reading === 'number' ? reading : await soon(reading, patienceMs);
          if (typeof values === 'number') this.set(values);
          else for (const each of values) this.set(each.labels, each.value);
        } catch {
          // Without labels it would say zero.
          if (labels.length === 0) this.remove();
        }
      },
    });
  }

  also(text: () => Promise<string>): void {
    this.#others.push(text);
  }
}

/** What comes in time, else an error. */
async function soon<Value>(value: Promise<Value>, milliseconds: number): Promise<Value> {
  const done = new AbortController();
  const late = sleep(milliseconds, undefined, { signal: done.signal, ref: false }).then(() => {
    throw new Error('the value did not come in time');
  });
  return Promise.race([value, late]).finally(() => done.abort());
}

function combinations<Label extends string>(values: Counted<Label>['labels']): Labels<Label>[] {
  return Object.entries<readonly string[]>(values).reduce<Record<string, string>[]>(
    (all, [label, each]) =>
      all.flatMap((labels) => each.map((value) => ({ ...labels, [label]: value }))),
    [{}],
  ) as Labels<Label>[];
}
