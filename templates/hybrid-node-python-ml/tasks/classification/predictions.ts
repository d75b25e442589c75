import { z } from 'zod';

const FEATURES = 64;
const FLOAT32_MAX = 3.4028234663852886e38;

const Instance = z.array(z.number().min(-FLOAT32_MAX).max(FLOAT32_MAX)).length(FEATURES);

/** What may be asked; the API's types hold it to the service's contract. */
export const NewPredictions = z
  .strictObject({ instances: z.array(Instance).min(1).max(256) })
  .meta({ id: 'NewPredictions' });
export type NewPredictions = z.infer<typeof NewPredictions>;

/** The most likely class of one instance. */
export const Prediction = z
  .object({
    label: z.string(),
    confidence: z.number(),
    probabilities: z.array(z.number()),
  })
  .meta({ id: 'Prediction' });
export type Prediction = z.infer<typeof Prediction>;

/** One prediction for each instance, in the same order. */
export const Predictions = z
  .object({
    predictions: z.array(Prediction),
    model: z.object({ name: z.string(), version: z.string() }),
  })
  .meta({ id: 'Predictions' });
export type Predictions = z.infer<typeof Predictions>;
