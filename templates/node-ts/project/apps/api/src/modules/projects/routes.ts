import {
  NewProject,
  OrganizationParams,
  Project,
  ProjectChanges,
  ProjectPage,
  ProjectQuery,
} from '@app/contracts';
import { z } from 'zod';
import {
  accessOf,
  BY_SESSION_OR_API_KEY,
  ORGANIZATION_PATH,
  organizationNotFound,
  organizationPath,
} from '../../auth/access.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../../db/errors.ts';
import { withTenant } from '../../db/tenant.ts';
import type { App } from '../../http/app.ts';
import { etagOf, versionsOf } from '../../http/etag.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import { IdempotencyHeaders, once } from '../../idempotency/once.ts';
import type { Services } from '../../module.ts';
import { type News, tell } from '../live/tell.ts';
import { projectCreated, projectDeleted, projectUpdated } from './events.ts';
import {
  deleteProject,
  findProject,
  insertProject,
  listProjects,
  type ProjectRow,
  updateProject,
} from './repository.ts';

const PATH = `${ORGANIZATION_PATH}/projects`;

const Params = OrganizationParams.extend({ id: z.uuid() });
const IfMatch = z.object({ 'if-match': z.string().optional().describe('The ETag as read') });
const base = { tags: ['projects'], security: BY_SESSION_OR_API_KEY };

/** All routes of the resource, in the order of the OpenAPI document. */
export function registerRoutes(app: App, services: Services): void {
  registerList(app, services);
  registerCreate(app, services);
  registerRead(app, services);
  registerUpdate(app, services);
  registerDelete(app, services);
}

function registerList(app: App, { database, requires }: Services): void {
  app.get(
    PATH,
    {
      preParsing: requires('project:read'),
      schema: {
        ...base,
        operationId: 'listProjects',
        summary: 'List projects, newest first',
        params: OrganizationParams,
        querystring: ProjectQuery,
        response: { 200: ProjectPage, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const { items, nextCursor } = await withTenant(
        database,
        accessOf(request).organizationId,
        (tx) => listProjects(tx, request.query),
      );
      return reply.code(200).send({ items: items.map(toProject), nextCursor });
    },
  );
}

function registerCreate(app: App, { database, requires, publish }: Services): void {
  app.post(
    PATH,
    {
      preParsing: requires('project:create'),
      schema: {
        ...base,
        operationId: 'createProject',
        summary: 'Create a project',
        params: OrganizationParams,
        headers: IdempotencyHeaders,
        body: NewProject,
        response: { 201: Project, ...problems(400, 401, 403, 404, 409, 413, 415, 422, 429) },
      },
    },
    async (request, reply) => {
      const project = await withTenant(database, accessOf(request).organizationId, (tx) =>
        once(tx, request, async () => {
          const created = toProject(await insertProject(tx, request.body));
          await publish(tx, projectCreated, { projectId: created.id });
          await tell(tx, news('created', created.id));
          return created;
        }),
      ).catch(refused);
      const location = `${organizationPath(request.params)}/projects/${project.id}`;
      reply.header('location', location).header('etag', etagOf(project));
      return reply.code(201).send(project);
    },
  );
}

function registerRead(app: App, { database, requires }: Services): void {
  app.get(
    `${PATH}/:id`,
    {
      preParsing: requires('project:read'),
      schema: {
        ...base,
        operationId: 'readProject',
        summary: 'Read a project',
        params: Params,
        response: { 200: Project, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const row = await withTenant(database, accessOf(request).organizationId, (tx) =>
        findProject(tx, request.params.id),
      );
      if (!row) throw notFound();
      return reply.code(200).header('etag', etagOf(row)).send(toProject(row));
    },
  );
}

function registerUpdate(app: App, { database, requires, publish }: Services): void {
  app.patch(
    `${PATH}/:id`,
    {
      preParsing: requires('project:update'),
      schema: {
        ...base,
        operationId: 'updateProject',
        summary: 'Change a project that nobody else has changed since it was read',
        params: Params,
        headers: IfMatch,
        body: ProjectChanges,
        response: {
          200: Project,
          ...problems(400, 401, 403, 404, 409, 412, 413, 415, 428, 429),
        },
      },
    },
    async (request, reply) => {
      const versions = versionsOf(request.headers['if-match']);
      const { id } = request.params;
      const row = await withTenant(database, accessOf(request).organizationId, async (tx) => {
        const updated = await updateProject(tx, id, versions, request.body);
        if (updated) {
          await publish(tx, projectUpdated, { projectId: id });
          await tell(tx, news('updated', id));
          return updated;
        }
        throw (await findProject(tx, id)) ? changedMeanwhile() : notFound();
      }).catch(refused);
      return reply.code(200).header('etag', etagOf(row)).send(toProject(row));
    },
  );
}

function registerDelete(app: App, { database, requires, publish }: Services): void {
  app.delete(
    `${PATH}/:id`,
    {
      preParsing: requires('project:delete'),
      schema: {
        ...base,
        operationId: 'deleteProject',
        summary: 'Delete a project',
        params: Params,
        headers: IfMatch,
        response: { 204: z.undefined(), ...problems(400, 401, 403, 404, 412, 429) },
      },
    },
    async (request, reply) => {
      const ifMatch = request.headers['if-match'];
      const versions = ifMatch === undefined ? 'any' : versionsOf(ifMatch);
      const { id } = request.params;
      await withTenant(database, accessOf(request).organizationId, async (tx) => {
        if (await deleteProject(tx, id, versions)) {
          await publish(tx, projectDeleted, { projectId: id });
          return tell(tx, news('deleted', id));
        }
        throw (await findProject(tx, id)) ? changedMeanwhile() : notFound();
      });
      return reply.code(204).send();
    },
  );
}

/** For those who have the list before their eyes. */
function news(what: 'created' | 'updated' | 'deleted', id: string): News {
  return { type: `project.${what}`, audience: 'project:read', data: { id } };
}

function toProject(row: ProjectRow): Project {
  const { organizationId: _, createdAt, updatedAt, ...rest } = row;
  return { ...rest, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}

/** Another organization's project is not there either: its existence is nobody's business. */
function notFound(): ProblemError {
  return new ProblemError(404, 'project_not_found', 'There is no such project');
}

function changedMeanwhile(): ProblemError {
  return new ProblemError(412, 'stale_version', 'Somebody has changed it: read it again');
}

function refused(error: unknown): never {
  if (isUniqueViolation(error)) {
    throw new ProblemError(409, 'name_taken', 'A project with this name already exists');
  }
  // Deleted since `requires` found it.
  if (isForeignKeyViolation(error)) throw organizationNotFound();
  throw error;
}
