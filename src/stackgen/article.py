"""The architecture article as data: its rules, cautions and comparison, in our own words.

Source: "Node.js vs. Python vs. Go: Choosing the Right Backend in 2025" (Meerako, 1 September 2025).
Every entry names the section that it rests on; an empty section marks our own experience.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackgen.choices import Ai, Bottleneck, Choices, Product, Stack, Team

NODE_SECTION = "Node.js: The JavaScript Juggernaut"
PYTHON_SECTION = "Python: The AI & Data Science King"
GO_SECTION = "Go (Golang): The Cloud-Native Speedster"
CHOICE_SECTION = "Comparison & Meerako's Choice"


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when every named field of the choices has one of the values listed for it."""

    accepts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def holds(self, choices: Choices) -> bool:
        """Tell whether the choices meet the condition; an empty one always holds."""
        return all(getattr(choices, name) in values for name, values in self.accepts.items())

    def words(self) -> str:
        """Give the condition as a person reads it, an empty string where it always holds."""
        return " and ".join(f"{name} = {' or '.join(values)}" for name, values in self.accepts.items())


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the decision table: the first whose condition holds names the stack."""

    id: str
    when: Condition
    stack: Stack
    reasons: tuple[str, ...]
    runner_up: Stack
    section: str


@dataclass(frozen=True, slots=True)
class Caution:
    """Something to mind on one of the stacks whenever the condition holds."""

    stacks: tuple[Stack, ...]
    when: Condition
    text: str


TITLES: Mapping[Stack, str] = {
    Stack.NODE: "Node.js with TypeScript",
    Stack.HYBRID: "Node.js core with a Python machine-learning service",
    Stack.DJANGO: "Python with Django",
    Stack.GO: "Go",
}

STRENGTHS: Mapping[Stack, str] = {
    Stack.NODE: "handles many connections that wait, with one language on both sides and the largest ecosystem",
    Stack.HYBRID: "keeps the model in Python, where its libraries are, and everything else on Node.js",
    Stack.DJANGO: "comes with batteries included, reads easily and has the data and science libraries at hand",
    Stack.GO: "compiles to one fast binary and uses every core without effort",
}

LANGUAGES: Mapping[Team, Stack] = {
    Team.TYPESCRIPT: Stack.NODE,
    Team.PYTHON: Stack.DJANGO,
    Team.GO: Stack.GO,
}
"""The stack that is home to a team's language: a runner-up at most, never the deciding reason."""

RULES: tuple[Rule, ...] = (
    Rule(
        id="ai-at-the-core",
        when=Condition({"ai": (Ai.CORE,)}),
        stack=Stack.HYBRID,
        reasons=(
            "A model of your own is the product, and the libraries to train and run it are Python's.",
            "The model becomes a microservice of its own; accounts, data and the public API stay on a Node.js core.",
        ),
        runner_up=Stack.DJANGO,
        section=CHOICE_SECTION,
    ),
    Rule(
        id="data-science",
        when=Condition({"product": (Product.DATA_SCIENCE,)}),
        stack=Stack.DJANGO,
        reasons=(
            "Data and scientific work is Python's home ground: its libraries have no equal elsewhere.",
            "Batteries included and readable: a team of varied skill gets far with it.",
        ),
        runner_up=Stack.HYBRID,
        section=PYTHON_SECTION,
    ),
    Rule(
        id="tools-and-microservices",
        when=Condition({"product": (Product.DEVOPS_TOOL, Product.MICROSERVICE)}),
        stack=Stack.GO,
        reasons=(
            "DevOps tools and microservices are what Go was built for: cloud-native, small and quick to start.",
            "It ships as a single binary with nothing to install beside it.",
        ),
        runner_up=Stack.NODE,
        section=GO_SECTION,
    ),
    Rule(
        id="cpu-bound",
        when=Condition({"bottleneck": (Bottleneck.CPU,)}),
        stack=Stack.GO,
        reasons=(
            "The work is computing rather than waiting, and compiled Go is the fastest of the three at that.",
            "Goroutines spread it over every core, while a long calculation would block Node.js's single thread.",
        ),
        runner_up=Stack.NODE,
        section=GO_SECTION,
    ),
    Rule(
        id="many-connections",
        when=Condition({"product": (Product.REALTIME,)}),
        stack=Stack.NODE,
        reasons=(
            "Real-time work is thousands of open connections that mostly wait: what non-blocking I/O is made for.",
            "Front end and backend share one language, and with it their types.",
        ),
        runner_up=Stack.GO,
        section=NODE_SECTION,
    ),
    Rule(
        id="most-backends",
        when=Condition(),
        stack=Stack.NODE,
        reasons=(
            "Nearly every SaaS, web and mobile backend waits for input and output, not for the processor.",
            "One TypeScript code base for front end and backend means fewer mistakes and an easier hire.",
        ),
        runner_up=Stack.GO,
        section=CHOICE_SECTION,
    ),
)

CAUTIONS: tuple[Caution, ...] = (
    Caution(
        (Stack.NODE, Stack.HYBRID),
        Condition(),
        "Put CPU-heavy work into a job or a worker, never on the event loop: one long calculation stops everyone.",
    ),
    Caution(
        (Stack.NODE, Stack.GO),
        Condition({"ai": (Ai.FEATURE,)}),
        "Call the hosted model with a deadline and a fallback; once your own model is the product, choose again.",
    ),
    Caution(
        (Stack.NODE, Stack.GO, Stack.DJANGO),
        Condition({"ai": (Ai.CORE,)}),
        "A model of your own belongs in a Python service beside the backend, behind a contract that both sides test.",
    ),
    Caution(
        (Stack.HYBRID,),
        Condition(),
        "Two runtimes to build, deploy and watch: worth it only while the model really is the product.",
    ),
    Caution(
        (Stack.HYBRID,),
        Condition({"product": (Product.DEVOPS_TOOL,)}),
        "A tool that people install is easier to ship as one binary: let it talk to this backend over the network.",
    ),
    Caution(
        (Stack.DJANGO,),
        Condition(),
        "Python is slower than the other two, and many connections take more care: keep long work in the worker.",
    ),
    Caution(
        (Stack.DJANGO,),
        Condition({"bottleneck": (Bottleneck.CPU,)}),
        "Let vectorized libraries do the computing; a plain Python loop is tens of times slower than compiled code.",
    ),
    Caution(
        (Stack.DJANGO,),
        Condition({"product": (Product.REALTIME,)}),
        "Thousands of open connections are not Django's strength: give them a gateway of their own.",
    ),
    Caution(
        (Stack.GO,),
        Condition(),
        "The ecosystem is the smallest of the three: expect to write more yourself.",
    ),
    Caution(
        (Stack.GO,),
        Condition({"team": (Team.MIXED, Team.TYPESCRIPT, Team.PYTHON)}),
        "Go developers are good but few: plan time to hire or to learn.",
    ),
    Caution(
        (Stack.NODE,),
        Condition({"team": (Team.PYTHON, Team.GO)}),
        "The team's own language is another: plan time to learn TypeScript and its asynchronous habits.",
    ),
    Caution(
        (Stack.DJANGO,),
        Condition({"team": (Team.TYPESCRIPT, Team.GO)}),
        "The team's own language is another: plan time to learn Python and Django's conventions.",
    ),
    Caution(
        (Stack.HYBRID,),
        Condition({"team": (Team.TYPESCRIPT, Team.GO)}),
        "Somebody on the team has to own the Python side: training, evaluation and the model's releases.",
    ),
    Caution(
        (Stack.HYBRID,),
        Condition({"team": (Team.PYTHON, Team.GO)}),
        "Somebody on the team has to own the TypeScript core: accounts, data and the public API live there.",
    ),
)

COMPARISON: tuple[tuple[str, str, str, str], ...] = (
    (
        "Primary use",
        "SaaS, web applications, real-time APIs",
        "AI and machine learning, data, science",
        "DevOps tools, microservices",
    ),
    (
        "Performance",
        "excellent while the work waits (I/O)",
        "good, but the slowest",
        "best when the work computes (CPU)",
    ),
    ("Concurrency", "excellent: non-blocking I/O", "good, with more care", "best: goroutines"),
    ("Ecosystem", "1st: npm", "2nd: PyPI", "3rd: small and growing"),
    ("Hiring", "very many, full stack", "very many, data science", "few, of high quality"),
)
"""The article's table: a row's subject, then Node.js with TypeScript, Python, Go."""

CONTENTS: Mapping[Stack, tuple[str, ...]] = {
    Stack.NODE: (
        "Fastify 5 and zod on Node.js, TypeScript without a build step",
        "drizzle on PostgreSQL, embedded (PGlite) until DATABASE_URL is set",
        "better-auth with organizations, roles, invitations; tenancy by row-level security",
        "OpenAPI 3.1, RFC 9457 problems, health, graceful shutdown, rate limit",
    ),
    Stack.HYBRID: (
        "everything of node-ts",
        "a FastAPI and ONNX Runtime service with training, evaluation and a model registry",
        "a typed client with deadlines, a circuit breaker and back-pressure",
        "one contract that fails the checks on both sides when it drifts",
    ),
    Stack.DJANGO: (
        "Django LTS with django-ninja, typed settings, e-mail login, API keys",
        "SQLite until DATABASE_URL names PostgreSQL; the same migrations and tests",
        "a data-set domain: upload, profile in a worker, list, download",
        "background tasks with retries and recovery, without a broker",
    ),
    Stack.GO: (
        "net/http with huma: OpenAPI 3.1 from the code",
        "SQLite until DATABASE_URL names PostgreSQL; one conformance suite for both",
        "a monitor domain: targets, concurrent probes, alerts by webhook",
        "one static binary with health, metrics, load shedding and a clean drain",
    ),
}
"""What each of our templates holds, for `stackgen compare`."""
