"""Breaks put into a go project by hand: each must turn the one generated test red that is there for it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import processes
import pytest
from breaks import Break, assert_all_have_a_place, some_by_seed

pytestmark = pytest.mark.full

Environment = Mapping[str, str]

MONITOR = "internal/monitor"
HTTPX = "internal/httpx"
APP = "internal/app"
STORE = "internal/store"

BREAKS = (
    Break(
        "the scheduler never prunes",
        f"{MONITOR}/schedule.go",
        "if s.Retention > 0 {",
        "if s.Retention < 0 {",
        "TestOldResultsAreRemovedFromTheStartOnAndInBatches",
    ),
    Break(
        "old results go in one piece",
        f"{MONITOR}/schedule.go",
        "pruneBatch = 1000",
        "pruneBatch = 1000000",
        "TestOldResultsAreRemovedFromTheStartOnAndInBatches",
    ),
    Break(
        "intervals drift",
        f"{STORE}/sqlite/queries.sql.go",
        "THEN targets.next_check_at ELSE",
        "THEN ?1 ELSE",
        "TestSQLite/a_due_time_stays_what_it_was,_give_or_take",
        STORE,
    ),
    Break(
        "targets made together stay together",
        f"{STORE}/sqlite/queries.sql.go",
        "abs(random() % (targets.interval_ms * 100))",
        "targets.interval_ms * 50",
        "TestSQLite/a_due_time_stays_what_it_was,_give_or_take",
        STORE,
    ),
    Break(
        "a probe goes over a kept connection",
        "internal/netguard/netguard.go",
        "transport.DisableKeepAlives = true",
        "transport.DisableKeepAlives = false",
        "TestAProbeSeesWhatNewClientsSee",
        MONITOR,
    ),
    Break(
        "a certificate is good for another number of days",
        f"{MONITOR}/api.go",
        ".Hours() / 24)",
        ".Hours() * 24)",
        "TestAResultTellsForHowManyDaysTheCertificateIsGood",
    ),
    Break(
        "a result of an older version counts",
        f"{MONITOR}/service.go",
        "if current.Version != t.Version {",
        "if false {",
        "TestAResultOfWhatIsNotWantedAnyMoreCountsForNothing",
    ),
    Break(
        "a disabled target stays down",
        f"{MONITOR}/service.go",
        "if !spec.Enabled {",
        "if false {",
        "TestAResultOfWhatIsNotWantedAnyMoreCountsForNothing",
    ),
    Break(
        "a changed target waits for its turn",
        f"{MONITOR}/service.go",
        "t.NextCheckAt = t.UpdatedAt",
        "_ = t.NextCheckAt",
        "TestAChangedTargetIsDueAtOnce",
    ),
    Break(
        "two failures at once are two",
        f"{MONITOR}/monitor.go",
        ".Abs() >= t.Interval/2",
        ".Abs() >= 0",
        "TestAfterRaisesOneEventPerChange",
    ),
    Break(
        "only as many alerts as there are slots are sent",
        f"{MONITOR}/tool.go",
        "if err != nil || !waiting {",
        "if _ = waiting; true {",
        "TestEveryAlertThatIsDueIsSent",
    ),
    Break(
        "one host may take every slot",
        f"{MONITOR}/alert.go",
        "alertsPerHost = 4",
        "alertsPerHost = 1000",
        "TestAReceiverThatHangsHoldsUpNoOther",
    ),
    Break(
        "Retry-After is not obeyed",
        f"{MONITOR}/alert.go",
        "max(backoff(a.Attempts), retryAfter(err))",
        "max(backoff(a.Attempts), 0)",
        "TestAReceiverIsLeftAloneForAsLongAsItAsks",
    ),
    Break(
        "webhooks follow redirects",
        "internal/webhook/webhook.go",
        "return http.ErrUseLastResponse",
        "return nil",
        "TestAnswersThatAreNoSuccessAreToldApart",
    ),
    Break(
        "the key is the text of the secret",
        "internal/webhook/webhook.go",
        "if key, err = base64.StdEncoding.DecodeString(encoded); err != nil",
        "if _, err = base64.StdEncoding.DecodeString(encoded); err != nil",
        "TestSignaturesAreThoseOfTheSpecification",
    ),
    Break(
        "secrets that are a text sign with another key than before",
        "internal/webhook/webhook.go",
        "key := []byte(secret)",
        'key := []byte(secret + "=")',
        "TestWhileOneSecretFollowsAnotherBothSign",
    ),
    Break(
        "a check does not lock its row",
        f"{STORE}/postgres/queries.sql.go",
        "WHERE id = $1 FOR UPDATE\n",
        "WHERE id = $1\n",
        "TestPostgres/a_locked_target_waits_for_the_one_who_locked_it",
        STORE,
        on_postgresql=True,
    ),
    Break(
        "an event is told before its transaction commits",
        f"{STORE}/sqlite/topics.go",
        "tx.announced = append(tx.announced, announcement{topic, message})",
        "for l := range s.topics.listeners {\nif _ = tx; l.topic == topic {\nl.each(message)\n}\n}",
        "TestWhatIsAnnouncedIsHeardInOrderOnceItIsCommitted/SQLite",
        STORE,
    ),
    Break(
        "an instance tells its own probes alone",
        f"{STORE}/postgres/topics.go",
        '"LISTEN "+pgx.Identifier{topic}.Sanitize()',
        '"LISTEN "+pgx.Identifier{topic+"s"}.Sanitize()',
        "TestEveryInstanceTellsAllProbesInOneOrder",
        APP,
        on_postgresql=True,
    ),
    Break(
        "planned work wakes somebody",
        f"{MONITOR}/service.go",
        "		if planned {",
        "		if planned && false {",
        "TestATargetRaisesNoAlertWhileWorkOnItIsPlanned",
        "internal/maintenance",
    ),
    Break(
        "a window covers every target",
        f"{STORE}/shared/maintenance.sql.go",
        "(target_id = $1 OR",
        "(target_id <> $1 OR target_id = $1 OR",
        "TestAWindowCoversItsTargetFromItsBeginningToItsEnd",
        "internal/maintenance",
    ),
    Break(
        "a stream begins before anything is followed",
        f"{MONITOR}/events.go",
        "	case <-following:",
        "	case <-func() <-chan time.Time { _ = following; return time.After(0) }():",
        "TestAStreamBeginsWhenNothingCanBeMissedAnyMore",
    ),
    Break(
        "a stream goes on over a connection that was lost",
        f"{MONITOR}/events.go",
        "		h.following = make(chan struct{})\n		h.empty()\n",
        "		h.following = make(chan struct{})\n",
        "TestAStreamMissesNothingWhileItsInstanceFindsBackToTheOthers",
        APP,
        on_postgresql=True,
    ),
    Break(
        "a connection that went silent is listened to for ever",
        f"{STORE}/postgres/topics.go",
        "if err := ping(ctx, conn, quiet); err != nil {",
        "if err := ctx.Err(); err != nil {",
        "TestAConnectionThatWentSilentIsNotListenedToForEver",
        on_postgresql=True,
    ),
    Break(
        "a request waits for its database until the service is killed",
        f"{APP}/serve.go",
        "func() { cutRequests(httpx.ErrStopping) }",
        "func() {}",
        "TestARequestThatWaitsForADatabaseIsAnsweredBeforeTheServiceEnds",
        on_postgresql=True,
    ),
    Break(
        "a rollback waits for its database for ever",
        f"{STORE}/postgres/store.go",
        "rollbackTime = 2 * time.Second",
        "rollbackTime = 2 * time.Hour",
        "TestATransactionThatFailsEndsThoughTheDatabaseDoesNotAnswer",
        on_postgresql=True,
    ),
    Break(
        "closing waits for the database for as long as the pool does",
        f"{STORE}/postgres/postgres.go",
        "closeTime = time.Second",
        "closeTime = time.Hour",
        "TestAServiceEndsOnTimeInTheMiddleOfADelivery",
        APP,
        on_postgresql=True,
    ),
    Break(
        "a stream too many is an empty one",
        f"{MONITOR}/api.go",
        "_ = huma.WriteErr(api,",
        "_ = func(...any) error { return nil }(api,",
        "TestAStreamTooManyIsRefused",
        APP,
    ),
    Break(
        "a stream is measured as a request",
        f"{HTTPX}/middleware.go",
        "if streams(r) {",
        "if streams(r) && false {",
        "TestAStreamIsCountedAndNotMeasured",
        APP,
    ),
    Break(
        "a quiet stream is silent",
        f"{MONITOR}/api.go",
        "case <-beat.C:",
        "case <-make(chan bool):",
        "TestAQuietStreamBeats",
    ),
    Break(
        "a body may be as long as one likes",
        f"{MONITOR}/api.go",
        'OperationID: "create-target",',
        'OperationID: "create-target", MaxBodyBytes: -1,',
        "TestATargetMayNotBeAsLongAsOneLikes",
        APP,
    ),
    Break(
        "an IPv6 client has a budget for each address",
        f"{HTTPX}/ratelimit.go",
        "addr.Prefix(64)",
        "addr.Prefix(128)",
        "TestAnIPv6ClientOwnsItsNetwork",
    ),
    Break(
        "a client is called as it likes",
        f"{HTTPX}/ratelimit.go",
        "i >= 0 && contains(trusted, addr)",
        "i >= 0",
        "TestAClientIsWhoeverTheTrustedProxiesName",
    ),
    Break(
        "a second proxy is looked for at the wrong end",
        f"{HTTPX}/ratelimit.go",
        "contains(trusted, addr); i--",
        "contains(trusted, addr); i++",
        "TestAClientIsWhoeverTheTrustedProxiesName",
    ),
    Break(
        "the limiter remembers everybody",
        f"{HTTPX}/ratelimit.go",
        "len(c.current) >= maxClients || ",
        "",
        "TestClientsCannotMakeTheLimiterGrowWithoutEnd",
    ),
    Break(
        "browsers may guess what an answer is",
        f"{HTTPX}/middleware.go",
        'header["X-Content-Type-Options"] = contentTypeOptions',
        "_ = contentTypeOptions",
        "TestAPanicIsAnsweredAndLogged",
    ),
    Break(
        "a panic answers nothing",
        f"{HTTPX}/middleware.go",
        "if recorder.status != 0 {",
        "if true {",
        "TestAPanicIsAnsweredAndLogged",
    ),
    Break(
        "a lock of another process is a fault of ours",
        f"{STORE}/sqlite/store.go",
        "case isLocked(err):",
        "case false:",
        "TestAFileThatAnotherProcessLocksIsNoFaultOfOurs",
    ),
    Break(
        "a change waits for ever behind those that wait for a lock",
        f"{STORE}/sqlite/store.go",
        "s.writer.Conn(limited)",
        "s.writer.Conn(ctx)",
        "TestAChangeWaitsForItsTurnButNotForEver",
    ),
    Break(
        "a change that is made waits to be prepared",
        f"{STORE}/sqlite/statements.go",
        "context.WithTimeout(ctx, prepareTime)",
        "context.WithTimeout(ctx, prepareTime*1e6)",
        "TestAChangeThatIsMadeDoesNotWaitToBePrepared",
    ),
    Break(
        "the scheduler asks a locked file without a pause",
        f"{MONITOR}/schedule.go",
        "		tick.Reset(s.Tick)",
        "		//",
        "TestSchedulerGivesWayAfterARoundThatTookLong",
    ),
    Break(
        "any valid token may do anything",
        f"{HTTPX}/auth.go",
        "return a.scopes.allow(sent.scopes(), reads)",
        "return nil",
        "TestATokenNeedsTheScopeForWhatItDoes",
        APP,
    ),
    Break(
        "a provider's clock may not be ahead of ours",
        f"{HTTPX}/auth.go",
        "jwt.WithLeeway(30*time.Second)",
        "jwt.WithLeeway(0)",
        "TestOnlyGenuineTokensAreAccepted",
        APP,
    ),
    Break(
        "the log does not tell who it was",
        f"{HTTPX}/auth.go",
        "	setSubject(ctx, sent.Subject)\n",
        "",
        "TestATokenNeedsTheScopeForWhatItDoes",
        APP,
    ),
    Break(
        "a key that the provider changed is refused",
        f"{HTTPX}/auth.go",
        "RateLimitWaitMax:  fetchTimeout",
        "RateLimitWaitMax:  time.Millisecond",
        "TestAnIdentityProviderThatIsAwayAndOneThatChangesItsKeys",
        APP,
    ),
    Break(
        "what is refused still costs the client its budget",
        f"{HTTPX}/ratelimit.go",
        "			reservation.CancelAt(now)\n",
        "",
        "TestWhatIsRefusedCostsTheClientNothing",
    ),
    Break(
        "a client gets a new budget every minute",
        f"{HTTPX}/ratelimit.go",
        "refill := max(time.Minute,",
        "refill := min(time.Minute,",
        "TestAClientIsForgottenWhenItsBudgetIsFullAgainAndNoSooner",
    ),
    Break(
        "any text of a client becomes the id in the log",
        f"{HTTPX}/middleware.go",
        "if !harmless(id) {",
        'if id == "" {',
        "TestARequestIDIsTakenOverOnlyIfItIsHarmless",
    ),
    Break(
        "a network that is not public is reached",
        "internal/netguard/netguard.go",
        '	netip.MustParsePrefix("198.18.0.0/15"),\n',
        "",
        "TestCheckLetsOnlyThePublicInternetThrough",
    ),
    Break(
        "no retention removes everything",
        f"{MONITOR}/schedule.go",
        "if s.Retention > 0 {",
        "if s.Retention >= 0 {",
        "TestASchedulerThatIsToldOfNoRetentionRemovesNothing",
    ),
    Break(
        "a receiver may stop its alerts for a year",
        f"{MONITOR}/alert.go",
        "min(refused.RetryAfter, maxRetryAfter)",
        "refused.RetryAfter",
        "TestAReceiverIsLeftAloneForAsLongAsItAsks",
    ),
    Break(
        "an alert that takes long is sent twice",
        f"{MONITOR}/alert.go",
        "alertLease    = 2 * alertTimeout",
        "alertLease    = alertTimeout / 2",
        "TestADeliveryThatTakesLongIsNotBegunAgain",
    ),
    Break(
        "an older migration that an update brings is never applied",
        f"{STORE}/sqlite/sqlite.go",
        "goose.WithAllowOutofOrder(true), ",
        "",
        "TestAnOlderMigrationThatAnUpdateBringsIsAppliedToo/SQLite",
        STORE,
    ),
    Break(
        "a probe made in a window counts once it is over",
        f"{MONITOR}/service.go",
        "s.calendar.Covers(ctx, target, probed, feature.Now())",
        "s.calendar.Covers(ctx, target, feature.Now(), feature.Now())",
        "TestAProbeThatWasMadeInAWindowCountsForNothingOnceItIsOver/SQLite",
        "internal/maintenance",
    ),
    Break(
        "a second signal is ignored",
        f"{APP}/app.go",
        "	context.AfterFunc(ctx, stop) // a second signal ends the process at once\n",
        "",
        "TestASecondSignalEndsItAtOnce",
        "cmd/uptime",
    ),
)


@pytest.fixture(scope="module")
def project(render: Callable[..., Path], tools: Environment) -> Path:
    """A fresh project with its modules downloaded, of the kind that has everything but options."""
    made = render("go", "uptime", kind="both")
    processes.sh("go mod download", made, tools)
    return made


def test_each_break_has_its_place(project: Path) -> None:
    assert_all_have_a_place(BREAKS, project)


@pytest.mark.parametrize("broken", some_by_seed(BREAKS), ids=str)
def test_a_break_turns_its_test_red(
    request: pytest.FixtureRequest, project: Path, tools: Environment, broken: Break
) -> None:
    environment = {**tools, "CGO_ENABLED": "0"}
    if broken.on_postgresql:
        environment["TEST_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    package = broken.where or str(Path(broken.file).parent)
    names = "/".join(f"^{name}$" for name in broken.test.split("/"))
    with broken.within(project):
        ran = processes.sh(
            f"go test -count=1 -timeout=300s -run '{names}' ./{package}", project, environment, timeout=900, check=False
        )
    assert ran.returncode, ran.stdout[-3000:]
    assert f"--- FAIL: {broken.test}" in ran.stdout, ran.stdout[-3000:]
