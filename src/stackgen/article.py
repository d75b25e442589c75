"""The architecture article as data: its sections and its comparison, in our own words, and what our stacks make of it.

Source: "Node.js vs. Python vs. Go: Choosing the Right Backend in 2025" (Meerako, 1 September 2025).
"""

from collections.abc import Mapping

from stackgen.choices import Stack

NODE_SECTION = "Node.js: The JavaScript Juggernaut"
PYTHON_SECTION = "Python: The AI & Data Science King"
GO_SECTION = "Go (Golang): The Cloud-Native Speedster"
CHOICE_SECTION = "Comparison & Meerako's Choice"
OURS = ""
"""The section of what no article says: our own experience."""

DISCLOSURE = (
    "The article's author calls itself a Node.js-first company and sells that work.",
    "What is marked (ours) is our own experience, not the article's.",
)
"""What a reader of a recommendation must know about its sources."""

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
