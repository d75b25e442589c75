"""The pages of a node-ts project about payments, live events and files, typed into a shell beside its server."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import processes

STRIPE = Path(__file__).parent / "stripe_where_everybody_pays.mjs"
BROWSER = Path(__file__).parent / "browser_that_listens.mjs"
PRICE = "price_of_pro"
# `call` is an alias, which a shell knows only in what it reads anew.
UNTIL = """
until_it_says() {
  for _ in $(seq 1200); do
    if eval "$2" | grep --quiet "$1"; then return 0; fi
    sleep 0.1
  done
  echo "it never said $1"
  return 1
}
"""
LIVE = """
%s > events & watching=$!
until_it_says reset 'cat events'
node --experimental-eventsource %s http://localhost:3000 cookies.txt %s > browser & listening=$!
until_it_says reload 'cat browser'
%s
until_it_says project.created 'cat events'
until_it_says project.created 'cat browser'
kill $watching $listening
cat events browser
"""
BILLING = """
%s
until_it_says '"plan":"pro"' 'call $billing'
call $billing
"""
FILES = """
%s
id=$(call $files | grep --only-matching '"id":"[^"]*"' | head -1 | cut -d '"' -f 4)
%s
call $files
"""

# Where the TypeScript of the pages stands, in a module `tasks` that was added as the page about modules says.
CODE = """
import type { NewTask } from '@app/contracts';
import type { Requires } from '../../auth/access.ts';
import type { Database, Transaction } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import { defineModule } from '../../module.ts';
import { taskDue } from './events.ts';
import { insertTask } from './repository.ts';
%s
export async function telling(database: Database, organizationId: string, body: NewTask) {
%s
}
export const asking = (requires: Requires, database: Database) => ({
%s
});
export async function counting(tx: Transaction, report: { id: string }) {
%s
}
%s
  register: () => undefined,
});
"""


@contextmanager
def paying(project: Path, environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Run a Stripe at which each checkout is paid at once; gives the settings that lead there."""
    command = ["node", str(STRIPE), f"http://localhost:{environment['PORT']}", PRICE]
    with subprocess.Popen(
        command, cwd=project / "apps/api", env=dict(environment), stdout=subprocess.PIPE, text=True
    ) as stripe:
        try:
            assert stripe.stdout
            yield {
                "STRIPE_API_URL": stripe.stdout.readline().strip(),
                "STRIPE_SECRET_KEY": "sk_test_of_the_tests",
                "STRIPE_WEBHOOK_SECRET": "whsec_of_the_tests",
                "STRIPE_PRICE_PRO_MONTH": PRICE,
            }
        finally:
            stripe.kill()


def commands(project: Path, page: str, number: int = 0) -> str:
    """Give one of the blocks of a page that are to be typed."""
    text = (project / page).read_text(encoding="utf-8")
    return str(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[number])


def code(project: Path) -> str:
    """Give a file for the module `tasks` with the TypeScript of the pages about live events, payments and webhooks."""
    pages = ((project / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("live", "billing", "webhooks"))
    found = [block for page in pages for block in re.findall(r"```ts\n(.*?)```", page, re.DOTALL)]
    imports = re.findall(r"^import .*$", "".join(found), re.MULTILINE)
    parts = [re.sub(r"^import .*$", "", block, flags=re.MULTILINE).strip() for block in found]
    # Nothing has reports there.
    return CODE % ("\n".join(imports), *(part.replace("report:read", "task:read") for part in parts))


def typed(project: Path, environment: Mapping[str, str], folder: Path) -> list[str]:
    """Type the pages' commands, one page after the other; gives what was printed for each."""
    readme = commands(project, "README.md", 1)
    setup, _, rest = readme.partition("# An account")
    sign_up, organization, first = re.findall(r"^call .*$", rest, re.MULTILINE)[:3]
    upload, others = re.split(r"(?=# The list)", commands(project, "docs/files.md"))
    (billing,) = (block for block in (commands(project, "docs/billing.md", n) for n in (0, 1)) if "call " in block)
    (folder / "report.pdf").write_bytes(b"%PDF-1.7 " + b"x" * 200)
    parts = (
        f"{sign_up}\n{organization}",
        # What the page says goes on until it is stopped is stopped once it has told of the project.
        LIVE % (commands(project, "docs/live.md").rstrip(), BROWSER, project / "docs/live.md", first),
        BILLING % billing,
        FILES % (upload, others),
    )
    script = f"set -e\nshopt -s expand_aliases\n{UNTIL}{setup}" + "\necho\necho -----\n".join(parts)
    script = script.replace("localhost:3000", f"localhost:{environment['PORT']}")
    return processes.sh(["bash", "-c", script], folder, environment).stdout.split("-----\n")
