/** What operators follow a request by, through the database and into its jobs (docs/operations.md). */
export interface Traces {
  /** The part of a caller's trace that is ours, or the beginning of a new one. */
  request(method: string, headers: Headers): RequestSpan;
  /** Work of its own that has come from somewhere else: `from` is what `here` has said there. */
  job<Result>(name: string, from: string | undefined, work: Work<Result>): Promise<Result>;
  /** A step of what is going on; nothing is noted of a step of nothing. */
  step<Result>(step: Step, work: () => Promise<Result>): Promise<Result>;
  /** The place in the trace, as the header `traceparent` writes it. */
  here(): string | undefined;
}

export type Headers = Readonly<Record<string, string | string[] | undefined>>;
export type Work<Result> = (traceId: string | undefined) => Promise<Result>;

export interface Step {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface RequestSpan {
  readonly traceId: string;
  /** Has everything that `work` begins be a part of the request. */
  run(work: () => void): void;
  end(route: string, status: number): void;
}

let chosen: Traces | undefined;

/** Those of this process: none, unless it is told of a collector. */
export function traces(): Traces | undefined {
  return chosen;
}

/** Once, before anything else begins. */
export function useTraces(given: Traces): void {
  chosen = given;
}
