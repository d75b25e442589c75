"""Breaks put into a node-ts project by hand: each must turn the one generated test red that is there for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import processes
import pytest

pytestmark = pytest.mark.full

Environment = Mapping[str, str]
API = "apps/api/src"
# A broken project may wait for ever; what is whole takes seconds.
PATIENCE = "--testTimeout=60000 --hookTimeout=60000"


@dataclass(frozen=True)
class Break:
    """A text of one file that is replaced by another, and the test that must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: str
    test: str
    on_postgresql: bool = False

    def __str__(self) -> str:
        return self.name


BREAKS = (
    Break(
        "a job does not know its organization",
        f"{API}/queue/drizzle/0001_enqueue.sql",
        "'organizationId', organization_id",
        "'organizationId', NULL",
        "queue.test",
        "belongs to the organization of its transaction",
    ),
    Break(
        "a connection that breaks in use ends the process",
        f"{API}/db/postgres.ts",
        "pool.on('connect', (client) => client.on('error', () => undefined));",
        "",
        "chaos",
        "whose connections are terminated, it lives and answers 200 or 503",
        on_postgresql=True,
    ),
    Break(
        "a connection cut at BEGIN is lost to the pool",
        f"{API}/db/postgres.ts",
        "client.release(lost || client.getTransactionStatus() !== 'I');",
        "if (!lost) client.release();",
        "chaos",
        "goes away at BEGIN, the request gets 503 and the connection is replaced",
        on_postgresql=True,
    ),
    Break(
        "a frozen database is waited for",
        f"{API}/db/postgres.ts",
        "query_timeout: Math.max(",
        "query_timeout: 0 * Math.max(",
        "chaos",
        "is frozen, nobody waits for ever, and all is well when it thaws",
        on_postgresql=True,
    ),
    Break(
        "a transaction begun late goes on under later statements",
        f"{API}/db/postgres.ts",
        "client.release(lost || ",
        "client.release(",
        "chaos",
        "is frozen at BEGIN, no later statement runs in that transaction",
        on_postgresql=True,
    ),
    Break(
        "the size of the pool is ignored",
        f"{API}/db/postgres.ts",
        "    max: settings.DATABASE_POOL_MAX,\n",
        "",
        "overload",
        "lets only so many requests wait for one",
        on_postgresql=True,
    ),
    Break(
        "the role that serves owns everything",
        f"{API}/db/postgres.ts",
        "settings.MIGRATION_DATABASE_URL ?? url",
        "url",
        "roles",
        "a role that only serves requests",
        on_postgresql=True,
    ),
    Break(
        "a second process opens the embedded database",
        f"{API}/db/directory-lock.ts",
        "BEGIN EXCLUSIVE",
        "BEGIN",
        "embedded",
        "a second process on the same volume is refused, until the first has been killed",
    ),
    Break(
        "tenants' tables do not bind their owner",
        f"{API}/db/grants.ts",
        "    await forceRowSecurity(db, table);\n",
        "",
        "tenancy",
        "that a migration adds is opened and bound by it",
    ),
    Break(
        "a password may have eight letters",
        "packages/contracts/src/accounts.ts",
        "min: 12",
        "min: 8",
        "auth-inputs",
        "keeps the code by which its clients know the password",
    ),
    Break(
        "signing up is not limited",
        f"{API}/auth/index.ts",
        "...(route.limit && { config: strict,",
        "...(route.limit && route.path !== '/sign-up/email' && { config: strict,",
        "auth-guessing",
        "is limited at sign-up/email",
    ),
    Break(
        "an address in another spelling passes",
        f"{API}/http/plain-path.ts",
        "|\\/\\.{1,2}(?:\\/|$)/i",
        "/i",
        "auth-guessing",
        "an address in another spelling",
    ),
    Break(
        "cookies travel over plain http",
        f"{API}/auth/better-auth.ts",
        "cookiePrefix: 'app',",
        "cookiePrefix: 'app', useSecureCookies: false,",
        "auth.test",
        "have a cookie that browsers send over https alone, where the API is reached by it",
    ),
    Break(
        "a session is extended and its cookie is not",
        f"{API}/auth/session.ts",
        "reply.header('set-cookie', answer.headers.getSetCookie());",
        "void reply;",
        "auth-sessions",
        "is extended once a day, and its cookie with it",
    ),
    Break(
        "a changed password leaves other sessions alive",
        f"{API}/auth/better-auth.ts",
        "revokeOtherSessions: true",
        "revokeOtherSessions: false",
        "auth-sessions",
        "ends every other session, and leaves this one where it was",
    ),
    Break(
        "the log tells what a statement was given",
        f"{API}/http/error-lines.ts",
        "(pattern ? text.replaceAll(pattern, HIDDEN) : text)",
        "text",
        "log-errors",
        "a described error",
    ),
    Break(
        "mail is sent although its sign-up is undone",
        f"{API}/app.ts",
        "createPostbox(accounts)",
        "createPostbox(database)",
        "auth-atomic",
        "a sign-up that fails at its very end sends no mail",
        on_postgresql=True,
    ),
    Break(
        "known addresses take longer to be answered than unknown ones",
        f"{API}/auth/better-auth.ts",
        "context.path === '/request-password-reset' && !isResetDue()",
        "false",
        "auth-mail",
        "whether an address has an account is looked up behind the answer",
    ),
    Break(
        "a key that was used lets another request through",
        f"{API}/idempotency/once.ts",
        "before?.fingerprint === asked.fingerprint",
        "before",
        "idempotency",
        "is refused with another body, which does nothing",
    ),
    Break(
        "a mail server that refuses us costs mails",
        f"{API}/mail/mailer.ts",
        "responseCode >= 500 && FINAL_AT.includes(command ?? '')",
        "responseCode >= 500",
        "mail.test",
        "is tried again where the server does not know us",
    ),
    Break(
        "a commit that was a rollback counts as done",
        f"{API}/db/postgres.ts",
        "assertCommitted(await client.query('commit'));",
        "await client.query('commit');",
        "tenancy",
        "a transaction that went on after an error does not count as done",
        on_postgresql=True,
    ),
    Break(
        "who gets no connection waits for ever",
        f"{API}/db/postgres.ts",
        "    max: settings.DATABASE_POOL_MAX,\n    connectionTimeoutMillis: settings.DATABASE_CONNECT_TIMEOUT_MS,\n",
        "    max: settings.DATABASE_POOL_MAX,\n",
        "postgres.test",
        "who gets no connection is told so after a while",
        on_postgresql=True,
    ),
    Break(
        "any text will do as If-Match",
        f"{API}/http/etag.ts",
        "if (ifMatch.trim() === '*') return 'any';",
        "return 'any';",
        "projects",
        "refuses a change made to an older version, and the one that names none",
    ),
    Break(
        "a sign-up that is cut off leaves an account without a password",
        f"{API}/auth/index.ts",
        "target.atomic ? atomically(database, ask) : ask(),",
        "ask(),",
        "auth-atomic",
        "leaves nothing behind and can be tried again: a sign-up",
    ),
    Break(
        "passwords can be guessed with a session",
        f"{API}/auth/better-auth.ts",
        "disabledPaths: ['/verify-password'],",
        "",
        "auth-inputs",
        "that takes a password is limited, or not there",
    ),
    Break(
        "a list of ETags is any version",
        f"{API}/modules/projects/repository.ts",
        "versions === 'any' ? undefined",
        "versions.length > 1 ? undefined",
        "projects",
        "is changed and deleted in one of the versions that If-Match lists, and in no other",
    ),
    Break(
        "a page begins behind all that were made in one moment",
        f"{API}/modules/projects/repository.ts",
        "(${projects.createdAt}, ${projects.id}) < (${createdAt.toISOString()}::timestamptz, ${id}::uuid)",
        "(${projects.createdAt}, ${id}) < (${createdAt.toISOString()}::timestamptz, ${id})",
        "projects",
        "shows each of those that were made in one moment once",
    ),
    Break(
        "foreign pages may change and delete",
        f"{API}/http/security.ts",
        "const SAFE_METHODS = ['GET',",
        "const SAFE_METHODS = ['PATCH', 'DELETE', 'GET',",
        "http.test",
        "may not write from a page that we do not know",
    ),
)


@pytest.fixture(scope="module")
def project(render: Callable[..., Path], tools: Environment) -> Path:
    """A fresh project with its packages installed."""
    made = render("node-ts")
    processes.sh("npm ci --no-audit --no-fund", made, tools)
    return made


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_a_break_turns_its_test_red(
    request: pytest.FixtureRequest, project: Path, tools: Environment, broken: Break
) -> None:
    environment = dict(tools)
    if broken.on_postgresql:
        environment["TEST_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    file = project / broken.file
    whole = file.read_text(encoding="utf-8")
    assert whole.count(broken.old) == 1, f"{broken.file} has no place for this break any more"
    file.write_text(whole.replace(broken.old, broken.new), encoding="utf-8")
    try:
        command = f'npm test -- {broken.tests} {PATIENCE} --testNamePattern "{broken.test}"'
        ran = processes.sh(command, project, environment, timeout=600, check=False)
    finally:
        file.write_text(whole, encoding="utf-8")
    assert ran.returncode, ran.stdout[-3000:]
    failed = [line for line in ran.stdout.splitlines() if "FAIL" in line]
    assert any(broken.test in line for line in failed), ran.stdout[-3000:]
