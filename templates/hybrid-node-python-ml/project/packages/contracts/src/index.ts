export * from './pagination.ts';
export * from './predictions.ts';
export * from './problem.ts';
export * from './projects.ts';
export * from './text.ts';
