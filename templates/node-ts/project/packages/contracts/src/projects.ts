import { z } from 'zod';
import { PageQuery, page } from './pagination.ts';
import { filledText, text } from './text.ts';

export const ProjectStatus = z.enum(['active', 'archived']);
export type ProjectStatus = z.infer<typeof ProjectStatus>;

const name = filledText(120);
const description = text(2000);

export const Project = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string(),
    status: ProjectStatus,
    version: z.int().describe('Grows by one with every change; the ETag is made from it'),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Project' });
export type Project = z.infer<typeof Project>;

export const ProjectPage = page(Project).meta({ id: 'ProjectPage' });
export type ProjectPage = z.infer<typeof ProjectPage>;

export const ProjectQuery = PageQuery.extend({
  status: ProjectStatus.optional(),
  search: filledText(120).optional().describe('Part of the name'),
});
export type ProjectQuery = z.infer<typeof ProjectQuery>;

export const NewProject = z
  .strictObject({ name, description: description.default('') })
  .meta({ id: 'NewProject' });
export type NewProject = z.infer<typeof NewProject>;

export const ProjectChanges = z
  .strictObject({
    name: name.optional(),
    description: description.optional(),
    status: ProjectStatus.optional(),
  })
  .refine((changes) => Object.keys(changes).length > 0, 'Name at least one field to change')
  .meta({ id: 'ProjectChanges', minProperties: 1 });
export type ProjectChanges = z.infer<typeof ProjectChanges>;
