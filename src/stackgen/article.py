"""The architecture article as data: its sections and its comparison, in our own words.

Source: "Node.js vs. Python vs. Go: Choosing the Right Backend in 2025" (Meerako, 1 September 2025).
"""

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

MEASURED = (
    "Our benchmarks bear out that Go is the fastest and uses every core, and that plain Python is the slowest.",
    "They bear out that a long calculation holds up all of Node.js, and that it is made for waiting beside Python.",
    "They do not bear that out beside Go, which served the same for a quarter of the processor time.",
)
"""Which of the article's claims we have measured, and with what result; told to programs, and recorded."""

COMPANYS = "What is marked (the company's) comes with the template, not from stackgen."
"""What he must know beside it where a company's template has rules of its own."""

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
