import type { AddressInfo } from 'node:net';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { members, users } from '../src/auth/schema.ts';
import type { Database } from '../src/db/database.ts';
import { withTenant } from '../src/db/tenant.ts';
import { deleteBefore } from '../src/modules/live/events.ts';
import { Hub } from '../src/modules/live/hub.ts';
import { forget } from '../src/modules/live/jobs.ts';
import { Presence } from '../src/modules/live/presence.ts';
import { SocketStream } from '../src/modules/live/sink.ts';
import { Stream } from '../src/modules/live/stream.ts';
import { tell } from '../src/modules/live/tell.ts';
import { enqueue } from '../src/queue/job.ts';
import { makeKey } from './support/api-keys.ts';
import { addMember, signUp, signUpOwner, startApp, type TestApp } from './support/app.ts';
import { hears, Listening, PATIENCE, tellOf, type Who } from './support/listening.ts';
import { READ_NOTES } from './support/notes.ts';

let test: TestApp;
let base: string;
let red: Awaited<ReturnType<typeof signUpOwner>>;
let blue: Awaited<ReturnType<typeof signUpOwner>>;
const open: Listening[] = [];

beforeAll(async () => {
  test = await startApp({ env: { LIVE_BEAT_MS: '50', LIVE_STREAMS_PER_USER: '4' } });
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  base = `http://127.0.0.1:${(test.app.server.address() as AddressInfo).port}`;
  [red, blue] = [await signUpOwner(test.app, 'red'), await signUpOwner(test.app, 'blue')];
});
beforeEach(async () => {
  for (const listening of open.splice(0)) listening.close();
  await expect.poll(() => connections(), PATIENCE).toBe(0);
});
afterAll(() => test.close());

const connections = () =>
  new Promise<number>((resolve) => test.app.server.getConnections((_error, n) => resolve(n)));

async function listen(who: Who = { cookie: red.client.cookie }, path = red.path) {
  const listening = await Listening.open(`${base}${path}/events`, who);
  open.push(listening);
  return listening;
}

const access = (organizationId: string) => ({ userId: 'ada', organizationId, role: 'owner' });
const tellRed = (what: string, data = {}) => tellOf(test.database, red.organizationId, what, data);

describe('a stream', () => {
  it('says at first to read anew, and then what happens, with its number', async () => {
    const listening = await listen();
    const { headers, statusCode } = listening.response;
    expect([statusCode, headers]).toMatchObject([
      200,
      {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
      },
    ]);
    await hears(listening, 'reset');
    await tellRed('written', { id: 1 });
    await tellRed('read');
    await hears(listening, 'reset', 'note.written', 'note.read');
    const [reset, written, read] = listening.messages;
    const first = (reset?.sequence ?? 0) + 1;
    expect(written).toMatchObject({ sequence: first, data: { id: 1 } });
    expect(read).toMatchObject({ sequence: first + 1, data: {} });
    expect(listening.lastId).toBe(`${first + 1}`);
  });

  it('tells of nothing that was rolled back, and leaves no gap for it', async () => {
    const listening = await listen();
    const undone = withTenant(test.database, red.organizationId, async (tx) => {
      await tell(tx, { type: 'note.undone', audience: READ_NOTES, data: {} });
      throw new Error('changed my mind');
    });
    await expect(undone).rejects.toThrow('changed my mind');
    await tellRed('done');
    await hears(listening, 'reset', 'note.done');
    const [before = 0, after] = listening.sequences;
    expect(after).toBe(before + 1);
  });

  it('tells nobody of another organization', async () => {
    const listening = await listen({ cookie: blue.client.cookie }, blue.path);
    await tellRed('secret');
    await tellOf(test.database, blue.organizationId, 'own');
    await hears(listening, 'reset', 'note.own');
    const foreign = await listen({ cookie: blue.client.cookie });
    expect(foreign.response.statusCode).toBe(404);
  });

  it('tells only what one may know, and comes back behind the rest', async () => {
    const member = await addMember(test, red.client, 'member@example.com', 'member');
    const listening = await listen({ cookie: member.cookie });
    await hears(listening, 'reset');
    await withTenant(test.database, red.organizationId, async (tx) => {
      await tell(tx, { type: 'note.written', audience: READ_NOTES, data: {} });
      await tell(tx, { type: 'key.made', audience: 'apiKey:read', data: {} });
    });
    await hears(listening, 'reset', 'note.written');
    const next = `${(listening.sequences[1] ?? 0) + 1}`;
    await expect.poll(() => listening.lastId, PATIENCE).toBe(next);
    const owner = await listen({ cookie: red.client.cookie, lastEventId: listening.lastId });
    await tellRed('read');
    await hears(owner, 'note.read');
  });

  it('tells what a new role may know, from the next beat on', async () => {
    const email = 'promoted@example.com';
    const member = await addMember(test, red.client, email, 'member');
    const listening = await listen({ cookie: member.cookie });
    await hears(listening, 'reset');
    const ofMember = { id: members.id };
    const [row] = await test.database.db
      .select(ofMember)
      .from(members)
      .innerJoin(users, eq(users.id, members.userId))
      .where(eq(users.email, email));
    const body = { memberId: row?.id, role: 'admin' };
    const changed = await red.client.post('/api/auth/organization/update-member-role', body);
    expect(changed.statusCode, changed.body).toBe(200);
    const heard = async () => {
      await withTenant(test.database, red.organizationId, (tx) =>
        tell(tx, { type: 'key.made', audience: 'apiKey:read', data: {} }),
      );
      return listening.types.includes('key.made');
    };
    await expect.poll(heard, PATIENCE).toBe(true);
  });

  it('has no HEAD, and refuses numbers that are none', async () => {
    const head = await fetch(`${base}${red.path}/events`, {
      method: 'HEAD',
      headers: { connection: 'close' },
    });
    expect(head.status).toBe(405);
    const cookie = red.client.cookie;
    const refused = await fetch(`${base}${red.path}/events?after=-1`, {
      headers: { cookie, connection: 'close' },
    });
    expect(refused.status).toBe(400);
  });
});

describe('who comes back', () => {
  it('gets what was missed, in order and once, over several pages', async () => {
    const listening = await listen();
    await tellRed('known');
    await hears(listening, 'reset', 'note.known');
    listening.close();
    const last = Number(listening.lastId);
    await withTenant(test.database, red.organizationId, async (tx) => {
      for (let number = 0; number < 250; number += 1) {
        await tell(tx, { type: 'note.missed', audience: READ_NOTES, data: { number } });
      }
    });
    const again = await listen({ cookie: red.client.cookie, lastEventId: last });
    const andAgain = await Listening.open(`${base}${red.path}/events?after=${last + 200}`, {
      cookie: red.client.cookie,
    });
    open.push(andAgain);
    await tellRed('new');
    await expect.poll(() => again.types.at(-1), PATIENCE).toBe('note.new');
    expect(again.sequences).toEqual(Array.from({ length: 251 }, (_, index) => last + 1 + index));
    await expect.poll(() => andAgain.types.at(-1), PATIENCE).toBe('note.new');
    expect(andAgain.sequences).toHaveLength(51);
  });

  it.each([999_999_999, 'nonsense'])('with the number %s starts anew', async (lastEventId) => {
    const listening = await listen({ cookie: red.client.cookie, lastEventId });
    await hears(listening, 'reset');
    await tellRed('new');
    await hears(listening, 'reset', 'note.new');
  });

  it('too late is told to read anew, and gets what is left', async () => {
    await tellRed('first');
    const listening = await listen();
    await hears(listening, 'reset');
    const last = Number(listening.lastId);
    listening.close();
    for (const what of ['old', 'older', 'oldest']) await tellRed(what);
    const signal = AbortSignal.timeout(60_000);
    expect(
      await deleteBefore(test.database, new Date(Date.now() + 60_000), signal),
    ).toBeGreaterThan(3);
    const without = await listen({ cookie: red.client.cookie, lastEventId: last });
    await hears(without, 'reset');
    expect(without.sequences).toEqual([last + 3]);
    await tellRed('new');
    const late = await listen({ cookie: red.client.cookie, lastEventId: last });
    await hears(late, 'reset', 'note.new');
    const current = await listen({ cookie: red.client.cookie, lastEventId: last + 3 });
    await hears(current, 'note.new');
  });
});

describe('a stream ends', () => {
  it('when its user is no member any more', async () => {
    const leaver = await addMember(test, red.client, 'leaver@example.com', 'viewer');
    const listening = await listen({ cookie: leaver.cookie });
    await hears(listening, 'reset');
    const body = { memberIdOrEmail: 'leaver@example.com' };
    const removed = await red.client.post('/api/auth/organization/remove-member', body);
    expect(removed.statusCode, removed.body).toBe(200);
    await expect.poll(() => listening.ended, PATIENCE).toBe(true);
  });

  it('with its session', async () => {
    const { client, path } = await signUpOwner(test.app, 'green');
    const listening = await listen({ cookie: client.cookie }, path);
    await hears(listening, 'reset');
    expect((await client.post('/api/auth/sign-out', {})).statusCode).toBe(200);
    await expect.poll(() => listening.ended, PATIENCE).toBe(true);
  });

  it('with its API key, which needs the scope', async () => {
    const blind = await makeKey(red.client, red.path);
    expect((await listen({ secret: blind.secret })).response.statusCode).toBe(403);
    const key = await makeKey(red.client, red.path, { scopes: ['liveEvent:read', READ_NOTES] });
    const listening = await listen({ secret: key.secret });
    await tellRed('written');
    await hears(listening, 'reset', 'note.written');
    await red.client.send('DELETE', `${red.path}/api-keys/${key.id}`);
    await expect.poll(() => listening.ended, PATIENCE).toBe(true);
  });

  it('and no other does, however often it is asked who may stay', async () => {
    const [session, key] = [
      await listen(),
      await makeKey(red.client, red.path, { scopes: ['liveEvent:read'] }),
    ];
    const byKey = await listen({ secret: key.secret });
    await hears(byKey, 'reset');
    const beats = { count: 0 };
    byKey.response.on('data', () => {
      beats.count += 1;
    });
    await expect.poll(() => beats.count, PATIENCE).toBeGreaterThan(5);
    expect([session.ended, byKey.ended]).toEqual([false, false]);
  });

  it('when its client reads nothing, and the others go on', async () => {
    const slow = await listen();
    const quick = await listen();
    await hears(quick, 'reset');
    slow.response.pause();
    slow.response.socket.pause();
    const text = 'x'.repeat(7_900);
    const isCut = () => test.logs.some(({ msg }) => /reads too slowly/.test(`${msg}`));
    for (let count = 1; !isCut(); ) {
      await withTenant(test.database, red.organizationId, async (tx) => {
        for (let each = 0; each < 20; each += 1) {
          await tell(tx, { type: 'note.long', audience: READ_NOTES, data: { text } });
        }
      });
      count += 20;
      await expect.poll(() => quick.messages.length, PATIENCE).toBe(count);
    }
    await tellRed('end');
    await expect.poll(() => quick.types.at(-1), PATIENCE).toBe('note.end');
    const sequences = quick.sequences.slice(1);
    expect(sequences).toEqual(sequences.map((_, index) => (sequences[0] ?? 0) + index));
  });
});

describe('what waits for a client', () => {
  /** A WebSocket whose client has not read so many bytes. */
  function streamWith(bytes: number) {
    const state = { bufferedAmount: bytes, pings: 0, isCut: false };
    const socket = Object.assign(state, {
      on: () => undefined,
      ping: () => {
        state.pings += 1;
      },
      terminate: () => {
        state.isCut = true;
      },
    });
    const sink = new SocketStream(socket as never);
    const options = { bufferBytes: 1_000, slow: () => undefined };
    return { state, stream: new Stream(access('red'), 0, sink, options) };
  }

  it('is no more than it may be before more is added', () => {
    const [enough, tooMuch] = [streamWith(1_000), streamWith(1_001)];
    for (const { stream } of [enough, tooMuch]) stream.makeRoom();
    expect([enough.state.isCut, tooMuch.state.isCut]).toEqual([false, true]);
    expect([enough.stream.isOver, tooMuch.stream.isOver]).toEqual([false, true]);
  });

  it('has become less from one beat to the next', () => {
    const [reads, sleeps] = [streamWith(900), streamWith(900)];
    for (const { stream } of [reads, sleeps]) stream.beat();
    reads.state.bufferedAmount = 899;
    for (const { stream } of [reads, sleeps]) stream.beat();
    expect([reads.stream.isOver, sleeps.stream.isOver]).toEqual([false, true]);
  });
});

it('clients that come back at once leave connections for requests', async () => {
  const { database } = test;
  let [running, most] = [0, 0];
  const withSettings: Database['withSettings'] = async (settings, work) => {
    running += 1;
    most = Math.max(most, running);
    return database.withSettings(settings, work).finally(() => {
      running -= 1;
    });
  };
  const hub = new Hub({
    database: { ...database, withSettings },
    log: test.app.log,
    listenUrl: undefined,
    beatMs: 60_000,
    streamsPerUser: 20,
    bufferBytes: 1_000,
    presence: undefined,
  });
  const feeds = Array.from({ length: 20 }, (_, each) => hub.enter(access(`each-${each}`)).feed);
  await Promise.all(feeds.map((feed) => feed.begin()));
  expect(most).toBe(2);
  await hub.stop();
});

it('nobody has more streams than they may, and one that ends makes room', async () => {
  const mine = [await listen(), await listen(), await listen(), await listen()];
  const fifth = await listen();
  expect(fifth.response.statusCode).toBe(429);
  const other = await signUp(test.app, 'other@example.com');
  expect((await listen({ cookie: other.cookie })).response.statusCode).toBe(404);
  mine[0]?.close();
  await expect.poll(async () => (await listen()).response.statusCode, PATIENCE).toBe(200);
});

it('who comes at once finds no more room than who comes one by one', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => listen()));
  const codes = all.map(({ response }) => response.statusCode).toSorted();
  expect(codes).toEqual([200, 200, 200, 200, 429, 429, 429, 429]);
});

it('who is present is told where that is switched on', async () => {
  const response = await red.client.get(`${red.path}/presence`);
  expect([response.statusCode, response.json().code]).toEqual([503, 'presence_not_configured']);
});

it('a process that has said goodbye is present no more, though a beat of it still runs', async () => {
  const { organizationId } = red;
  const [row] = await test.database.db
    .select({ userId: members.userId })
    .from(members)
    .where(eq(members.organizationId, organizationId));
  const userId = row?.userId ?? '';
  // Often, as a goodbye that is rounded to the next millisecond was still to come for as long.
  for (let time = 0; time < 30; time += 1) {
    const presence = new Presence({ database: test.database, log: test.app.log, beatMs: 60_000 });
    presence.came({ organizationId, userId });
    await presence.beat();
    expect(await presence.list(organizationId)).toEqual([userId]);
    const running = presence.beat();
    await presence.stop();
    expect(await presence.list(organizationId)).toEqual([]);
    await running;
    await presence.beat();
    expect(await presence.list(organizationId)).toEqual([]);
  }
});

describe('telling', () => {
  it('takes no more than a message may have, and no organization but that of withTenant', async () => {
    await expect(tellRed('long', { text: 'x'.repeat(8_000) })).rejects.toThrow(RangeError);
    const outside = test.database.db.transaction((tx) =>
      tell(tx, { type: 'note.lost', audience: READ_NOTES, data: {} }),
    );
    await expect(outside).rejects.toThrow();
  });

  it.runIf('server' in inject('template'))(
    'late, of what began early, skips nobody: numbers are given at the commit',
    async () => {
      const listening = await listen();
      await hears(listening, 'reset');
      const late = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      const slow = withTenant(test.database, red.organizationId, async (tx) => {
        await tell(tx, { type: 'note.slow', audience: READ_NOTES, data: {} });
        begun.resolve();
        await late.promise;
      });
      await begun.promise;
      await tellRed('quick');
      await hears(listening, 'reset', 'note.quick');
      const { lastId } = listening;
      late.resolve();
      await slow;
      await hears(listening, 'reset', 'note.quick', 'note.slow');
      const again = await listen({ cookie: red.client.cookie, lastEventId: lastId });
      await hears(again, 'note.slow');
    },
  );

  it('many at once gives each its number', async () => {
    const listening = await listen();
    await hears(listening, 'reset');
    await Promise.all(Array.from({ length: 40 }, () => tellRed('one')));
    await expect.poll(() => listening.messages.length, PATIENCE).toBe(41);
    const [first = 0] = listening.sequences;
    expect(listening.sequences).toEqual(Array.from({ length: 41 }, (_, index) => first + index));
  });

  it('is forgotten after a while, of all organizations, and nothing else is', async () => {
    await tellRed('old');
    await tellOf(test.database, blue.organizationId, 'old');
    const { rows: before } = await all();
    await deleteBefore(test.database, new Date(0), AbortSignal.timeout(60_000));
    expect((await all()).rows).toEqual(before);
    await deleteBefore(test.database, new Date(Date.now() + 60_000), AbortSignal.timeout(60_000));
    expect((await all()).rows).toEqual([]);
  });

  it('is forgotten by a job once it is older than LIVE_RETENTION_HOURS', async () => {
    for (const hours of [25, 23]) {
      await tellRed('old', { hours });
      await withTenant(test.database, red.organizationId, (tx) =>
        tx.execute(sql`
          update live_events set at = now() - make_interval(hours => ${hours})
          where (data->>'hours')::integer = ${hours}`),
      );
    }
    await enqueue(test.database.db, forget, {});
    await test.app.jobs.start();
    await expect.poll(async () => (await all()).rows, PATIENCE).toHaveLength(1);
  });
});

/** As the policy for what is over shows it, in the year 3000. */
function all() {
  return test.database.withSettings({ 'app.live_events_before': '3000-01-01' }, (tx) =>
    tx.execute(sql`select id from live_events order by id`),
  );
}
