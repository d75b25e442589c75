import type { NewProject, ProjectChanges, ProjectQuery } from '@app/contracts';
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Transaction } from '../../db/database.ts';
import { contains } from '../../db/like.ts';
import { newestFirst, olderThan, pageOf } from '../../http/cursor.ts';
import type { Versions } from '../../http/etag.ts';
import { projects } from './schema.ts';

export type ProjectRow = typeof projects.$inferSelect;

// No query here names the organization: withTenant has, and PostgreSQL keeps to it.

export async function listProjects(tx: Transaction, query: ProjectQuery) {
  const rows = await tx
    .select()
    .from(projects)
    .where(
      and(
        query.status && eq(projects.status, query.status),
        query.search === undefined ? undefined : contains(projects.name, query.search),
        olderThan(projects, query.cursor),
      ),
    )
    .orderBy(...newestFirst(projects))
    .limit(query.limit + 1);
  return pageOf(rows, query.limit);
}

export async function findProject(tx: Transaction, id: string): Promise<ProjectRow | undefined> {
  const [row] = await tx.select().from(projects).where(eq(projects.id, id));
  return row;
}

export async function insertProject(tx: Transaction, values: NewProject): Promise<ProjectRow> {
  const [row] = await tx.insert(projects).values(values).returning();
  if (!row) throw new Error('PostgreSQL returned no row for an insert');
  return row;
}

/** Changes the row if it has one of the versions; undefined means that it has not. */
export async function updateProject(
  tx: Transaction,
  id: string,
  versions: Versions,
  changes: ProjectChanges,
): Promise<ProjectRow | undefined> {
  const [row] = await tx
    .update(projects)
    .set({ ...changes, version: sql`${projects.version} + 1`, updatedAt: new Date() })
    .where(inVersion(id, versions))
    .returning();
  return row;
}

/** Deletes the row if it has one of the versions; false means that it has not. */
export async function deleteProject(
  tx: Transaction,
  id: string,
  versions: Versions,
): Promise<boolean> {
  const rows = await tx
    .delete(projects)
    .where(inVersion(id, versions))
    .returning({ id: projects.id });
  return rows.length > 0;
}

function inVersion(id: string, versions: Versions) {
  return and(
    eq(projects.id, id),
    versions === 'any' ? undefined : inArray(projects.version, [...versions]),
  );
}
