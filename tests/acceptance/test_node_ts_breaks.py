"""Breaks put into a node-ts project by hand: each must turn the one generated test red that is there for it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import processes
import pytest
from breaks import Break, assert_all_have_a_place, some_by_seed

pytestmark = pytest.mark.full

Environment = Mapping[str, str]
API = "apps/api/src"
# A broken project may wait for ever; what is whole takes seconds.
PATIENCE = "--testTimeout=60000 --hookTimeout=60000"

BREAKS = (
    Break(
        "a job does not know its organization",
        f"{API}/queue/drizzle/0003_traces.sql",
        "'organizationId', organization_id",
        "'organizationId', NULL",
        "belongs to the organization of its transaction",
        "queue.test",
    ),
    Break(
        "an event is told to its first subscriber alone",
        f"{API}/queue/event.ts",
        "of this.#jobs.get(event.name) ?? []",
        "of this.#jobs.get(event.name)?.slice(0, 1) ?? []",
        "is told to each subscriber when its transaction commits",
        "events",
    ),
    Break(
        "a connection that breaks in use ends the process",
        f"{API}/db/postgres.ts",
        "pool.on('connect', (client) => client.on('error', () => undefined));",
        "",
        "whose connections are terminated, it lives and answers 200 or 503",
        "chaos",
        on_postgresql=True,
    ),
    Break(
        "a connection cut at BEGIN is lost to the pool",
        f"{API}/db/postgres.ts",
        "client.release(lost || client.getTransactionStatus() !== 'I');",
        "if (!lost) client.release();",
        "goes away at BEGIN, the request gets 503 and the connection is replaced",
        "chaos",
        on_postgresql=True,
    ),
    Break(
        "a frozen database is waited for",
        f"{API}/db/postgres.ts",
        "query_timeout: Math.max(",
        "query_timeout: 0 * Math.max(",
        "is frozen, nobody waits for ever, and all is well when it thaws",
        "chaos",
        on_postgresql=True,
    ),
    Break(
        "a transaction begun late goes on under later statements",
        f"{API}/db/postgres.ts",
        "client.release(lost || ",
        "client.release(",
        "is frozen at BEGIN, no later statement runs in that transaction",
        "chaos",
        on_postgresql=True,
    ),
    Break(
        "the size of the pool is ignored",
        f"{API}/db/postgres.ts",
        "    max: settings.DATABASE_POOL_MAX,\n",
        "",
        "lets only so many requests wait for one",
        "overload",
        on_postgresql=True,
    ),
    Break(
        "the role that serves owns everything",
        f"{API}/db/postgres.ts",
        "settings.MIGRATION_DATABASE_URL ?? url",
        "url",
        "a role that only serves requests",
        "roles",
        on_postgresql=True,
    ),
    Break(
        "a second process opens the embedded database",
        f"{API}/db/directory-lock.ts",
        "BEGIN EXCLUSIVE",
        "BEGIN",
        "a second process on the same volume is refused, until the first has been killed",
        "embedded",
    ),
    Break(
        "tenants' tables do not bind their owner",
        f"{API}/db/grants.ts",
        "    await forceRowSecurity(db, table);\n",
        "",
        "that a migration adds is opened and bound by it",
        "tenancy",
    ),
    Break(
        "a password may have eight letters",
        "packages/contracts/src/accounts.ts",
        "min: 12",
        "min: 8",
        "keeps the code by which its clients know the password",
        "auth-inputs",
    ),
    Break(
        "signing up is not limited",
        f"{API}/auth/index.ts",
        "...(route.limit && { config: strict,",
        "...(route.limit && route.path !== '/sign-up/email' && { config: strict,",
        "is limited at sign-up/email",
        "auth-guessing",
    ),
    Break(
        "an address in another spelling passes",
        f"{API}/http/plain-path.ts",
        "|\\/\\.{1,2}(?:\\/|$)/i",
        "/i",
        "an address in another spelling",
        "auth-guessing",
    ),
    Break(
        "cookies travel over plain http",
        f"{API}/auth/better-auth.ts",
        "cookiePrefix: 'app',",
        "cookiePrefix: 'app', useSecureCookies: false,",
        "have a cookie that browsers send over https alone, where the API is reached by it",
        "auth.test",
    ),
    Break(
        "a session is extended and its cookie is not",
        f"{API}/auth/session.ts",
        "reply.header('set-cookie', answer.headers.getSetCookie());",
        "void reply;",
        "is extended once a day, and its cookie with it",
        "auth-sessions",
    ),
    Break(
        "a changed password leaves other sessions alive",
        f"{API}/auth/better-auth.ts",
        "revokeOtherSessions: true",
        "revokeOtherSessions: false",
        "ends every other session, and leaves this one where it was",
        "auth-sessions",
    ),
    Break(
        "the log tells what a statement was given",
        f"{API}/http/error-lines.ts",
        "(pattern ? text.replaceAll(pattern, HIDDEN) : text)",
        "text",
        "a described error",
        "log-errors",
    ),
    Break(
        "mail is sent although its sign-up is undone",
        f"{API}/app.ts",
        "createPostbox(accounts)",
        "createPostbox(database)",
        "a sign-up that fails at its very end sends no mail",
        "auth-atomic",
        on_postgresql=True,
    ),
    Break(
        "known addresses take longer to be answered than unknown ones",
        f"{API}/auth/better-auth.ts",
        "context.path === '/request-password-reset' && !isResetDue()",
        "false",
        "whether an address has an account is looked up behind the answer",
        "auth-mail",
    ),
    Break(
        "a key that was used lets another request through",
        f"{API}/idempotency/once.ts",
        "before?.fingerprint === asked.fingerprint",
        "before",
        "is refused with another body, which does nothing",
        "idempotency",
    ),
    Break(
        "an API key is taken in any organization",
        f"{API}/auth/access.ts",
        "organization !== organizationId && organization !== slug",
        "organization === ''",
        "finds no other organization, be it there or not",
        "api-keys-access",
    ),
    Break(
        "the secret of who has left wakes when somebody else rotates the key",
        f"{API}/auth/drizzle/0003_find_api_key.sql",
        "CASE WHEN k.hash = secret_hash THEN k.made_by ELSE k.previous_made_by END",
        "k.made_by",
        "and has left takes its secrets along",
        "api-keys-access",
    ),
    Break(
        "whoever sends an event is believed to be Stripe",
        f"{API}/modules/billing/webhook.ts",
        "stripe.webhooks.constructEvent(payload, signature, secret)",
        "(void signature, void secret, JSON.parse(String(payload)))",
        "signed with another secret is refused, and leaves nothing behind",
        "billing-events",
    ),
    Break(
        "what Stripe said first and comes last is what an organization has",
        f"{API}/modules/billing/accounts.ts",
        "eq(billingAccounts.revision, revision)",
        "undefined",
        "that was read first and comes last does not win",
        "billing-events",
    ),
    Break(
        "of several who join at once each finds a seat",
        f"{API}/modules/billing/drizzle/0001_seats.sql",
        "PERFORM FROM organizations WHERE id = NEW.organization_id FOR NO KEY UPDATE;",
        "",
        "are never more than the plan has, however many accept at once",
        "billing.test",
        on_postgresql=True,
    ),
    Break(
        "a live event gets its number when it is told, and not at the commit",
        f"{API}/modules/live/drizzle/0001_number_events.sql",
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
        "FOR EACH ROW",
        "late, of what began early, skips nobody",
        "live.test",
        on_postgresql=True,
    ),
    Break(
        "a stream outlives the membership that opened it",
        f"{API}/modules/live/hub.ts",
        "await this.#checkAccess();",
        "",
        "when its user is no member any more",
        "live.test",
    ),
    Break(
        "a page of another origin opens a WebSocket with our cookies",
        f"{API}/modules/live/routes.ts",
        "onRequest: createOriginCheck(config),",
        "",
        "by a page that we do not know is refused",
        "live-sockets",
    ),
    Break(
        "live events are kept no hour",
        f"{API}/modules/live/jobs.ts",
        "hours * HOUR_MS",
        "0 * HOUR_MS",
        "is forgotten by a job once it is older than LIVE_RETENTION_HOURS",
        "live.test",
    ),
    Break(
        "a stream goes on with the role that opened it",
        f"{API}/modules/live/hub.ts",
        "if (role !== stream.access.role) stream.access = { ...stream.access, role };",
        "",
        "tells what a new role may know",
        "live.test",
    ),
    Break(
        "whatever is not read waits in memory",
        f"{API}/modules/live/stream.ts",
        "if (this.#sink.waiting() > this.#options.bufferBytes) this.#tooSlow();",
        "",
        "is no more than it may be before more is added",
        "live.test",
    ),
    Break(
        "streams that come back take all connections",
        f"{API}/modules/live/hub.ts",
        "new Lane(CONNECTIONS)",
        "new Lane(1000)",
        "clients that come back at once leave connections for requests",
        "live.test",
    ),
    Break(
        "an upload has the time of any request",
        f"{API}/http/connections.ts",
        "  if (hasOwnTime(error, socket)) return;\n",
        "",
        "may come slowly, if steadily",
        "files.test",
    ),
    Break(
        "the newest subscription counts, be it paid or not",
        f"{API}/modules/billing/state.ts",
        "rank(one) - rank(other) || ",
        "",
        "of several subscriptions is that of the best one",
        "billing-events",
    ),
    Break(
        "whoever fails may put off webhooks for a day",
        f"{API}/modules/webhooks/delivering.ts",
        "BUSY.includes(status)",
        "status > 0",
        "is sent again with the same id",
        "webhooks.test",
    ),
    Break(
        "a link to a file needs no signature",
        f"{API}/modules/files/routes.ts",
        "links.check(request.query);",
        "",
        "lets anybody read the file for a while, and nothing else",
        "files.test",
    ),
    Break(
        "a page passes as a picture",
        f"{API}/modules/files/content.ts",
        "if (!found) throw otherType();",
        "",
        "a page that says it is a picture leaves nothing behind",
        "files.test",
    ),
    Break(
        "the bytes of files outlive their organization",
        f"{API}/modules/files/drizzle/0001_leftovers.sql",
        "AFTER INSERT OR DELETE OR UPDATE",
        "AFTER INSERT OR UPDATE",
        "when the organization is deleted, or the process ended in the middle",
        "files.test",
    ),
    Break(
        "a mail server that refuses us costs mails",
        f"{API}/mail/mailer.ts",
        "responseCode >= 500 && FINAL_AT.includes(command ?? '')",
        "responseCode >= 500",
        "is tried again where the server does not know us",
        "mail.test",
    ),
    Break(
        "a commit that was a rollback counts as done",
        f"{API}/db/postgres.ts",
        "assertCommitted(await client.query('commit'));",
        "await client.query('commit');",
        "a transaction that went on after an error does not count as done",
        "tenancy",
        on_postgresql=True,
    ),
    Break(
        "who gets no connection waits for ever",
        f"{API}/db/postgres.ts",
        "    max: settings.DATABASE_POOL_MAX,\n    connectionTimeoutMillis: settings.DATABASE_CONNECT_TIMEOUT_MS,\n",
        "    max: settings.DATABASE_POOL_MAX,\n",
        "who gets no connection is told so after a while",
        "postgres.test",
        on_postgresql=True,
    ),
    Break(
        "any text will do as If-Match",
        f"{API}/http/etag.ts",
        "if (ifMatch.trim() === '*') return 'any';",
        "return 'any';",
        "refuses a change made to an older version, and the one that names none",
        "projects",
    ),
    Break(
        "a sign-up that is cut off leaves an account without a password",
        f"{API}/auth/index.ts",
        "target.atomic ? atomically(database, ask) : ask()",
        "ask()",
        "leaves nothing behind and can be tried again: a sign-up",
        "auth-atomic",
    ),
    Break(
        "passwords can be guessed with a session",
        f"{API}/auth/better-auth.ts",
        "disabledPaths: ['/verify-password'],",
        "",
        "that takes a password is limited, or not there",
        "auth-inputs",
    ),
    Break(
        "a list of ETags is any version",
        f"{API}/modules/projects/repository.ts",
        "versions === 'any' ? undefined",
        "versions.length > 1 ? undefined",
        "is changed and deleted in one of the versions that If-Match lists, and in no other",
        "projects",
    ),
    Break(
        "a page begins behind all that were made in one moment",
        f"{API}/http/cursor.ts",
        "(${table.createdAt}, ${table.id}) < (${createdAt.toISOString()}::timestamptz, ${id}::uuid)",
        "(${table.createdAt}, ${id}) < (${createdAt.toISOString()}::timestamptz, ${id})",
        "shows each of those that were made in one moment once",
        "projects",
    ),
    Break(
        "a webhook goes to whatever address its name leads to",
        f"{API}/modules/webhooks/addresses.ts",
        ".filter(({ address }) => this.allows(address));",
        ";",
        "does not get to a private address by a name, be it one of several",
        "webhook-posts",
    ),
    Break(
        "one hanging receiver of webhooks holds up the others",
        f"{API}/modules/webhooks/delivering.ts",
        "  onePerGroup: true,\n",
        "",
        "hangs on one receiver and delays no other",
        "webhooks.test",
    ),
    Break(
        "webhooks are signed with the old secret for ever",
        f"{API}/modules/webhooks/jobs.ts",
        " && endpoint.previousUntil > new Date()",
        "",
        "is signed for with both secrets while one follows the other",
        "webhooks.test",
    ),
    Break(
        "foreign pages may change and delete",
        f"{API}/http/security.ts",
        "const SAFE_METHODS = ['GET',",
        "const SAFE_METHODS = ['PATCH', 'DELETE', 'GET',",
        "may not write from a page that we do not know",
        "http.test",
    ),
)


@pytest.fixture(scope="module")
def project(render: Callable[..., Path], tools: Environment) -> Path:
    """A fresh project with its packages installed."""
    made = render("node-ts")
    processes.sh("npm ci --no-audit --no-fund", made, tools)
    return made


def test_each_break_has_its_place(project: Path) -> None:
    assert_all_have_a_place(BREAKS, project)


@pytest.mark.parametrize("broken", some_by_seed(BREAKS), ids=str)
def test_a_break_turns_its_test_red(
    request: pytest.FixtureRequest, project: Path, tools: Environment, broken: Break
) -> None:
    environment = dict(tools)
    if broken.on_postgresql:
        environment["TEST_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    with broken.within(project):
        command = f'npm test -- {broken.where} {PATIENCE} --testNamePattern "{broken.test}"'
        ran = processes.sh(command, project, environment, timeout=600, check=False)
    assert ran.returncode, ran.stdout[-3000:]
    failed = [line for line in ran.stdout.splitlines() if "FAIL" in line]
    assert any(broken.test in line for line in failed), ran.stdout[-3000:]
