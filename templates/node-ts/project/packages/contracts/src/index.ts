export * from './accounts.ts';
export * from './api-keys.ts';
export * from './billing.ts';
export * from './organizations.ts';
export * from './pagination.ts';
export * from './problem.ts';
export * from './projects.ts';
export * from './text.ts';
