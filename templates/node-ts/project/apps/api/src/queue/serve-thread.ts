import { parentPort } from 'node:worker_threads';
import type { Answer } from './threads.ts';

/** For a file that a `ThreadPool` runs: answers each input with what the function makes of it. */
export function serveThread<Input, Output>(work: (input: Input) => Output | Promise<Output>): void {
  parentPort?.on('message', async (input: Input) => {
    parentPort?.postMessage(await answer(work, input));
  });
}

async function answer<Input>(work: (input: Input) => unknown, input: Input): Promise<Answer> {
  try {
    return { output: await work(input) };
  } catch (error) {
    return { error };
  }
}
