"""The decision table: rules, reasons, cautions and what follows from them, as data.

Every entry names the section of the article that it rests on; `OURS` marks our own experience, and `company` what a
company's template brought along.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackgen.article import CHOICE_SECTION, GO_SECTION, NODE_SECTION, OURS, PYTHON_SECTION
from stackgen.choices import Ai, Bottleneck, Choices, Product, Stack, Team, spoken


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
    """One row of the decision table: the first whose condition holds names the stack.

    `take_if` says when the runner-up is better; ours stand in `TAKE_IF`, since most rules share a pair.
    """

    id: str
    when: Condition
    stack: str
    reasons: tuple[str, ...]
    runner_up: str
    section: str
    company: bool = False
    take_if: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One more reason for some stacks (none named: for all), or something to mind, whenever the condition holds."""

    stacks: tuple[str, ...]
    when: Condition
    text: str
    section: str = OURS
    company: bool = False

    def holds(self, stack: str, choices: Choices) -> bool:
        """Tell whether it is to be said of a stack."""
        return (not self.stacks or stack in self.stacks) and self.when.holds(choices)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one of a stack's own questions that follows from choices, where all of those were said."""

    stack: str
    when: Condition
    key: str
    value: str | bool
    reason: str

    @property
    def spoken(self) -> str:
        """The value as one types it."""
        return spoken(self.value)


@dataclass(frozen=True, slots=True)
class Part:
    """What stands beside a stack when one part of the work is of another kind; `choices` generate it."""

    stack: str
    when: Condition
    name: str
    text: str
    choices: Mapping[str, str]


EVERY: tuple[str, ...] = ()
TYPESCRIPT = (Team.TYPESCRIPT, Team.SMALL_TYPESCRIPT, Team.CODE_TYPESCRIPT)
PYTHON = (Team.PYTHON, Team.SMALL_PYTHON, Team.CODE_PYTHON)
GO = (Team.GO, Team.SMALL_GO, Team.CODE_GO)
SMALL = (Team.SMALL_TYPESCRIPT, Team.SMALL_PYTHON, Team.SMALL_GO)
CODE = (Team.CODE_TYPESCRIPT, Team.CODE_PYTHON, Team.CODE_GO)

LANGUAGES: Mapping[Team, str] = {
    **dict.fromkeys(TYPESCRIPT, Stack.NODE),
    **dict.fromkeys(PYTHON, Stack.DJANGO),
    **dict.fromkeys(GO, Stack.GO),
}
"""The stack that is home to a team's language: a runner-up, and the pick in the one case that is named below."""

_ORDINARY = (Product.INTERNAL, Product.SAAS, Product.WEB, Product.MOBILE, Product.API)
_KNOWN = "A team of one or two ships an ordinary product soonest in the language that it knows."
_KEPT = "The code that stays can be called as it is; in another language it would be written twice or called from afar."
_WAITS = "The work waits for input and output, so no runtime is wrong for it."


def _known(language: str, teams: tuple[Team, Team], stack: str, runner_up: str) -> tuple[Rule, Rule]:
    """Give the exception to "the team never decides alone", for one language: few people, or code that stays."""
    rules = (("small-team", teams[0], _KNOWN), ("code-that-stays", teams[1], _KEPT))
    small, code = (
        Rule(
            id=f"{name}-{language}",
            when=Condition({"product": _ORDINARY, "bottleneck": (Bottleneck.IO,), "team": (team,)}),
            stack=stack,
            reasons=(reason, _WAITS),
            runner_up=runner_up,
            section=OURS,
        )
        for name, team, reason in rules
    )
    return small, code


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
        id="own-documents",
        when=Condition({"ai": (Ai.SEARCH,)}),
        stack=Stack.HYBRID,
        reasons=(
            "Search by meaning needs each text embedded, and the encoders and their tokenizers are Python's.",
            "Documents, their vectors and who may see them stay in PostgreSQL, on a Node.js core that searches them.",
        ),
        runner_up=Stack.NODE,
        section=OURS,
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
        id="event-ingest",
        when=Condition({"product": (Product.INGEST,)}),
        stack=Stack.GO,
        reasons=(
            "A stream of events is tens of thousands of small requests at once, which goroutines take without effort.",
            "Each event costs some processor time, and compiled code spends the least of it.",
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
    *_known("typescript", (Team.SMALL_TYPESCRIPT, Team.CODE_TYPESCRIPT), Stack.NODE, Stack.DJANGO),
    *_known("python", (Team.SMALL_PYTHON, Team.CODE_PYTHON), Stack.DJANGO, Stack.NODE),
    *_known("go", (Team.SMALL_GO, Team.CODE_GO), Stack.GO, Stack.NODE),
    Rule(
        id="internal-tool",
        when=Condition({"product": (Product.INTERNAL,)}),
        stack=Stack.DJANGO,
        reasons=(
            "Lists, forms, roles and a history of changes for staff are what Django's admin gives on the first day.",
            "Few people use it, so nothing in it is about speed.",
        ),
        runner_up=Stack.NODE,
        section=OURS,
    ),
    Rule(
        id="one-heavy-part",
        when=Condition({"bottleneck": (Bottleneck.PART,)}),
        stack=Stack.NODE,
        reasons=(
            "Nearly all of it waits for input and output, which is what a Node.js core is for.",
            "The part of another kind becomes a service beside the core instead of deciding about all of it.",
        ),
        runner_up=Stack.GO,
        section=CHOICE_SECTION,
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

ANSWERS: tuple[Answer, ...] = (
    Answer(Stack.HYBRID, Condition({"ai": (Ai.SEARCH,)}), "ml_task", "text", "search comes with that task"),
    Answer(
        Stack.GO,
        Condition({"product": (Product.DEVOPS_TOOL,)}),
        "kind",
        "cli",
        "a tool is run, not called over a network",
    ),
    Answer(
        Stack.GO,
        Condition({"product": (Product.MICROSERVICE, Product.INGEST)}),
        "kind",
        "service",
        "it is called over the network",
    ),
    Answer(
        Stack.DJANGO,
        Condition({"product": (Product.DATA_SCIENCE,)}),
        "data_tools",
        True,
        "data are explored before they are served",
    ),
    Answer(
        Stack.DJANGO,
        Condition({"product": (Product.INTERNAL, Product.SAAS, Product.WEB, Product.MOBILE, Product.API)}),
        "data_tools",
        False,
        "nothing said so far asks for a notebook",
    ),
)

PARTS: tuple[Part, ...] = (
    Part(
        Stack.NODE,
        Condition({"bottleneck": (Bottleneck.PART,)}),
        "compute",
        "Start with a pool of worker threads inside; once the part needs its own machines, put a Go service beside it.",
        {"product": Product.MICROSERVICE.value, "bottleneck": Bottleneck.CPU.value},
    ),
)

TAKE_IF: Mapping[tuple[str, str], str] = {
    (Stack.NODE, Stack.HYBRID): "a model that you train yourselves becomes the product, and not one of its features",
    (Stack.NODE, Stack.DJANGO): "people who run the product need lists and forms from the first day, and know Python",
    (Stack.NODE, Stack.GO): "it computes more than it waits, or must run small and many times over",
    (Stack.HYBRID, Stack.NODE): "somebody else serves the model and you only call it",
    (Stack.HYBRID, Stack.DJANGO): "everybody knows Python and requests are few: one language, one thing to deploy",
    (Stack.HYBRID, Stack.GO): "the model is finished and runs without Python, and throughput is what is sold",
    (Stack.DJANGO, Stack.NODE): "the front end is TypeScript, or many people are connected at the same time",
    (Stack.DJANGO, Stack.HYBRID): "a model of your own becomes the product, and others build on its API",
    (Stack.DJANGO, Stack.GO): "there is an API and hardly a page, and the team knows Go",
    (Stack.GO, Stack.NODE): "it waits more than it computes, and its users sit at a front end in TypeScript",
    (Stack.GO, Stack.HYBRID): "what computes turns out to be a model that you train",
    (Stack.GO, Stack.DJANGO): "vectorized Python libraries do the computing, or staff need lists and forms",
}
"""When the second of two stacks is better than the first, after "Take it if"."""
