import { z } from 'zod';
import { defineEvent } from '../../queue/event.ts';

const payload = z.object({ projectId: z.uuid() });

export const projectCreated = defineEvent({ name: 'projects.created', payload });
export const projectUpdated = defineEvent({ name: 'projects.updated', payload });
export const projectDeleted = defineEvent({ name: 'projects.deleted', payload });
