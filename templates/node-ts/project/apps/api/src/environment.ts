import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Environment } from './config.ts';

const FILE = fileURLToPath(new URL('../../../.env', import.meta.url));

/** The process's environment, and behind it the .env file where there is one. */
export function readEnvironment(): Environment {
  if (existsSync(FILE)) process.loadEnvFile(FILE);
  return process.env;
}
