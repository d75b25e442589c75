import { z } from 'zod';
import { Prediction } from './predictions.ts';
import { Problem } from './problem.ts';

/** The prediction for one instance; they come in the order of the instances. */
export const PredictionEvent = z
  .object({
    type: z.literal('prediction'),
    index: z.int().min(0),
    prediction: Prediction,
    model: z.object({ name: z.string(), version: z.string() }),
  })
  .meta({ id: 'PredictionEvent' });
export type PredictionEvent = z.infer<typeof PredictionEvent>;

/** The last event of a stream that is complete. */
export const DoneEvent = z
  .object({ type: z.literal('done'), predictions: z.int().min(1) })
  .meta({ id: 'DoneEvent' });
export type DoneEvent = z.infer<typeof DoneEvent>;

/** The last event of a stream that is not. */
export const ErrorEvent = z
  .object({ type: z.literal('error'), problem: Problem })
  .meta({ id: 'ErrorEvent' });
export type ErrorEvent = z.infer<typeof ErrorEvent>;

/** The data of a server-sent event, whose name is its `type`. */
export const StreamEvent = z
  .discriminatedUnion('type', [PredictionEvent, DoneEvent, ErrorEvent])
  .meta({ id: 'StreamEvent' });
export type StreamEvent = z.infer<typeof StreamEvent>;
