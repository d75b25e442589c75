/**
 * Where the parts of the application say what operators are to know of (docs/operations.md). Labels
 * have few values, which are known beforehand: never an address, a person or an organization.
 */
export interface Metrics {
  /**
   * Something that happens, once or as often as is said. All values of labels are named: a rate needs
   * the zero before the first one.
   */
  counter<Label extends string>(
    what: Counted<Label>,
  ): (labels: Labels<Label>, count?: number) => void;
  /** How many seconds something took. */
  timer<Label extends string>(what: Timed<Label>): (labels: Labels<Label>, seconds: number) => void;
  /** Something that has a value at each moment: it is read when somebody asks. */
  gauge<Label extends string = never>(what: Read<Label>): void;
  /** The text of another registry, in the format of Prometheus. */
  also(text: () => Promise<string>): void;
}

export type Labels<Label extends string> = Readonly<Record<Label, string>>;

interface Described {
  readonly name: string;
  readonly help: string;
}

export interface Counted<Label extends string> extends Described {
  readonly labels: Readonly<Record<Label, readonly string[]>>;
}

export interface Timed<Label extends string> extends Described {
  readonly labels: readonly Label[];
  /** In seconds; those of a request unless given. */
  readonly buckets?: readonly number[];
}

export interface Read<Label extends string> extends Described {
  readonly labels?: readonly Label[];
  /** One number, or one for each set of labels. What cannot be read now is left out. */
  read(): number | Promise<readonly Value<Label>[]>;
}

export interface Value<Label extends string> {
  readonly labels: Labels<Label>;
  readonly value: number;
}

/** Where nobody asks, nothing is counted. */
export const noMetrics: Metrics = {
  counter: () => () => undefined,
  timer: () => () => undefined,
  gauge: () => undefined,
  also: () => undefined,
};
