import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

interface Task {
  readonly input: unknown;
  resolve(output: unknown): void;
  reject(error: unknown): void;
}

/** What a thread's file answers with: `serveThread` sends it. */
export type Answer = { readonly output: unknown } | { readonly error: unknown };

/**
 * Runs one function in threads, for work that keeps a processor busy: in the main thread it would let
 * every request wait. `file` is a module that calls `serveThread`; inputs and outputs are copied.
 */
export class ThreadPool<Input, Output> {
  readonly #file: URL;
  readonly #size: number;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Task>();
  readonly #waiting: Task[] = [];

  /** One thread less than there are processors, unless it says how many. */
  constructor(file: URL, size = Math.max(1, availableParallelism() - 1)) {
    this.#file = file;
    this.#size = size;
  }

  /** Rejects with what the function has thrown, or when its thread ends. */
  run(input: Input): Promise<Output> {
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.push({ input, resolve, reject });
      this.#next();
    }) as Promise<Output>;
  }

  /** Ends the threads; what they have not done is rejected. */
  async close(): Promise<void> {
    for (const task of this.#waiting.splice(0)) task.reject(new Error('The threads are closed'));
    const all = [...this.#idle.splice(0), ...this.#busy.keys()];
    await Promise.all(all.map((thread) => thread.terminate()));
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const thread = this.#idle.pop() ?? (this.#busy.size < this.#size ? this.#begin() : undefined);
    if (!thread) return;
    const task = this.#waiting.shift() as Task;
    this.#busy.set(thread, task);
    thread.postMessage(task.input);
  }

  #begin(): Worker {
    const thread = new Worker(this.#file);
    // Threads keep no process alive: who waits for them is somebody else.
    thread.unref();
    thread.on('message', (answer: Answer) => {
      const task = this.#busy.get(thread);
      this.#busy.delete(thread);
      this.#idle.push(thread);
      if ('error' in answer) task?.reject(answer.error);
      else task?.resolve(answer.output);
      this.#next();
    });
    thread.on('error', (error) => this.#gone(thread, error));
    thread.on('exit', () => this.#gone(thread, new Error('The thread has ended')));
    return thread;
  }

  #gone(thread: Worker, error: unknown): void {
    const index = this.#idle.indexOf(thread);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#busy.get(thread)?.reject(error);
    this.#busy.delete(thread);
    this.#next();
  }
}
