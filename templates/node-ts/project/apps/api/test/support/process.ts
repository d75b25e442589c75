import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Less than a test may take: who waits in vain says what the server has written, and is not cut off before. */
export const WAIT_MS = 150_000;

/** A server in a process of its own, with what it has written so far. */
export class ServerProcess {
  readonly child: ChildProcess;
  output = '';

  constructor(script: string, env: Record<string, string>) {
    const file = fileURLToPath(new URL(`../../${script}`, import.meta.url));
    const { PATH = '', HOME = '' } = process.env;
    // The machine may be busy with other things than this server.
    const calm = { OVERLOAD_EVENT_LOOP_DELAY_MS: '0' };
    this.child = spawn(process.execPath, [file], {
      env: { PATH, HOME, PORT: '0', ...calm, ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk) => {
        this.output += chunk;
      });
    }
  }

  /** Waits until the output matches, and fails if the process ends or the time is over. */
  async waitFor(pattern: RegExp, milliseconds = WAIT_MS): Promise<RegExpExecArray> {
    const deadline = Date.now() + milliseconds;
    for (;;) {
      const match = pattern.exec(this.output);
      if (match) return match;
      if (this.ended || Date.now() > deadline) {
        throw new Error(`no ${pattern} in:\n${this.output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async address(): Promise<{ port: number; url: string }> {
    const [, port] = await this.waitFor(/listening at http:\/\/127\.0\.0\.1:(\d+)/);
    return { port: Number(port), url: `http://127.0.0.1:${port}` };
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** The exit code, or the signal that it died of; fails if it goes on. */
  async exit(milliseconds = WAIT_MS): Promise<number | string | null> {
    if (!this.ended) {
      const signal = AbortSignal.timeout(milliseconds);
      await once(this.child, 'exit', { signal }).catch(() => {
        throw new Error(`still running after ${milliseconds} ms:\n${this.output}`);
      });
    }
    return this.child.exitCode ?? this.child.signalCode;
  }

  /** For afterAll: whatever happened, nothing stays behind. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit();
  }
}
