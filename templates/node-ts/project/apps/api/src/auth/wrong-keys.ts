const WINDOW_MS = 60_000;

/**
 * The wrong keys that came from each address within a minute. Only different ones count: a program
 * that goes on with a key of the past is no danger, and must not shut out its neighbours.
 */
export class WrongKeys {
  readonly #max: number;
  readonly #byAddress = new Map<string, Set<string>>();
  #endsAt = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** The seconds until another key may be tried from there, 0 if it may be now. */
  wait(address: string): number {
    const now = Date.now();
    if (now >= this.#endsAt) {
      this.#byAddress.clear();
      this.#endsAt = now + WINDOW_MS;
    }
    const count = this.#byAddress.get(address)?.size ?? 0;
    return count < this.#max ? 0 : Math.ceil((this.#endsAt - now) / 1000);
  }

  add(address: string, hash: string): void {
    const seen = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, seen.add(hash));
  }
}
