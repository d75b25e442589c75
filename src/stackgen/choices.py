"""The few choices that decide a stack. The only place where outside data about them is parsed."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from stackgen.errors import UsageError


class Stack:
    """The names of our own stacks; a template may bring more."""

    NODE = "node-ts"
    HYBRID = "hybrid-node-python-ml"
    DJANGO = "python-django"
    GO = "go"


STACKS = (Stack.NODE, Stack.HYBRID, Stack.DJANGO, Stack.GO)


class Product(StrEnum):
    """What is being built."""

    SAAS = "saas"
    WEB = "web"
    MOBILE = "mobile"
    REALTIME = "realtime"
    API = "api"
    DATA_SCIENCE = "data-science"
    DEVOPS_TOOL = "devops-tool"
    MICROSERVICE = "microservice"
    INTERNAL = "internal"
    INGEST = "ingest"


class Ai(StrEnum):
    """Where artificial intelligence stands in the product."""

    NONE = "none"
    FEATURE = "feature"
    CORE = "core"
    SEARCH = "search"


class Bottleneck(StrEnum):
    """What the work waits for: input and output, the processor, or the processor in one part of it alone."""

    IO = "io"
    CPU = "cpu"
    PART = "part"


class Team(StrEnum):
    """The language that the team knows best; `SMALL_` is one or two people, `CODE_` has code that stays."""

    MIXED = "mixed"
    TYPESCRIPT = "typescript"
    PYTHON = "python"
    GO = "go"
    SMALL_TYPESCRIPT = "small-typescript"
    SMALL_PYTHON = "small-python"
    SMALL_GO = "small-go"
    CODE_TYPESCRIPT = "code-typescript"
    CODE_PYTHON = "code-python"
    CODE_GO = "code-go"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the recommendation is made from; every field has a default."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    product: Product = Product.SAAS
    ai: Ai = Ai.NONE
    bottleneck: Bottleneck = Bottleneck.IO
    team: Team = Team.MIXED


DOMAINS: Mapping[str, type[StrEnum]] = {
    "product": Product,
    "ai": Ai,
    "bottleneck": Bottleneck,
    "team": Team,
}
"""The values that each field of `Choices` accepts, in the order in which they are asked."""

MEANINGS: Mapping[str, str] = {
    "product": "What are you building?",
    "ai": "Does it use AI?",
    "bottleneck": "What will it spend its time on?",
    "team": "Which language does the team know best?",
}

LABELS: Mapping[str, str] = {
    "saas": "a SaaS product",
    "web": "a web application",
    "mobile": "the backend of a mobile app",
    "realtime": "a real-time application: chat, dashboards, collaboration",
    "api": "an API for other programs",
    "data-science": "a data or scientific product",
    "devops-tool": "a DevOps tool",
    "microservice": "a small service among others",
    "internal": "an internal tool: lists, forms and reports for your own people",
    "ingest": "something that takes in a stream of events or devices' data",
    "none": "no AI",
    "feature": "calls a model that somebody else serves",
    "core": "a model of our own is the product",
    "search": "answers from our own documents",
    "io": "waiting for databases, networks and files",
    "cpu": "computing",
    "part": "mostly waiting, with one part that computes",
    "mixed": "several, or it does not matter",
    "typescript": "TypeScript or JavaScript",
    "python": "Python",
    "go": "Go",
    "small-typescript": "TypeScript or JavaScript, and we are one or two people",
    "small-python": "Python, and we are one or two people",
    "small-go": "Go, and we are one or two people",
    "code-typescript": "TypeScript or JavaScript, with code that stays and is to be used",
    "code-python": "Python, with code that stays and is to be used",
    "code-go": "Go, with code that stays and is to be used",
}


EXPLANATIONS: Mapping[str, str] = {
    "saas": "Customers with accounts of their own, who must never see each other's rows.",
    "web": "Pages and forms for people; the front end and the API belong together.",
    "mobile": "Apps on phones call it, and old versions of them for years.",
    "realtime": "Many connections stay open, and what one does the others see at once.",
    "api": "Customers are programs: the OpenAPI document is what they rely on.",
    "data-science": "Tables come in; what matters is what is computed from them, and that it can be derived again.",
    "devops-tool": "People install and run it where they work: one file without a runtime is worth much.",
    "microservice": "One job, called by your other services.",
    "internal": "Few users, many forms: most of it is lists, rights and a history.",
    "ingest": "More is written than read, from many senders, and nothing may be lost.",
    "none": "Nothing is predicted or generated.",
    "feature": "A call over the network to somebody's model, one feature among others.",
    "core": "You train, evaluate and release a model, and it is why customers come.",
    "search": "Texts of yours or your customers' are embedded, and found by what they mean.",
    "io": "The usual case: a request is a few queries and calls, and little else.",
    "cpu": "Most requests keep a processor busy: images, numbers, compression, simulation.",
    "part": "Nearly everything waits, and one heavy part can stand apart from it.",
    "mixed": "The choice follows the product alone.",
    "typescript": "Decides between stacks that suit the product, and is not what decides alone.",
    "python": "Decides between stacks that suit the product, and is not what decides alone.",
    "go": "Decides between stacks that suit the product, and is not what decides alone.",
    "small-typescript": "For an ordinary product that mostly waits, a small team takes what it knows.",
    "small-python": "For an ordinary product that mostly waits, a small team takes what it knows.",
    "small-go": "For an ordinary product that mostly waits, a small team takes what it knows.",
    "code-typescript": "What is built calls the code that stays, or stands beside it.",
    "code-python": "What is built calls the code that stays, or stands beside it.",
    "code-go": "What is built calls the code that stays, or stands beside it.",
}
"""What a value means for the recommendation or the project, said while it is pointed at."""

OTHER_NAMES: Mapping[str, Mapping[str, str]] = {
    "product": {
        "saas": "b2b subscription subscriptions multi-tenant tenants",
        "web": "website webapp site shop store ecommerce e-commerce blog cms portal fullstack frontend",
        "mobile": "app apps ios android flutter react-native",
        "realtime": "real-time chat websocket websockets game games collaboration dashboard dashboards",
        "api": "rest graphql backend public-api",
        "data-science": "data science scientific analytics ml research etl",
        "devops-tool": "cli tool devops command-line terminal agent operator",
        "microservice": "service microservices micro worker gateway proxy",
        "internal": "admin intranet backoffice back-office crud inventory erp crm forms",
        "ingest": "iot devices device sensors telemetry events event-stream stream metrics logs tracking mqtt kafka",
    },
    "ai": {
        "none": "no false off 0",
        "feature": "yes true on 1 llm gpt openai chatbot api hosted",
        "core": "own model custom ml machine-learning training train",
        "search": "rag documents embeddings semantic vector vectors pgvector knowledge knowledge-base",
    },
    "bottleneck": {
        "io": "network database db disk waiting wait i/o latency",
        "cpu": "compute computing processor performance calculation speed",
        "part": "mixed both some partly one-part heavy-part jobs",
    },
    "team": {
        "mixed": "any all both none other unknown java kotlin php ruby rails rust c# csharp dotnet elixir scala",
        "typescript": "js ts javascript node nodejs node.js react next nextjs frontend",
        "python": "py python3 django flask fastapi",
        "go": "golang",
        "small-typescript": "solo-typescript solo-js small-js small-node",
        "small-python": "solo-python small-django",
        "small-go": "solo-go small-golang",
        "code-typescript": "legacy-typescript existing-typescript express-code",
        "code-python": "legacy-python existing-python django-code",
        "code-go": "legacy-go existing-go",
    },
    "stack": {
        "node-ts": "node nodejs node.js ts typescript js javascript express nest nestjs fastify",
        "hybrid-node-python-ml": "hybrid ml ai machine-learning node-python",
        "python-django": "python py django flask fastapi",
        "go": "golang",
    },
}
"""What people call the values, each key's in words."""

FAMILIES: Mapping[str, str] = {"small": "small", "solo": "small", "alone": "small", "code": "code", "legacy": "code"}
"""Words that could mean several values, by the beginning that those have in common."""


def pair(text: str) -> tuple[str, str]:
    """Give the key and the value of `key=value`; raises `UsageError` when it has no `=`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--data {text[:80]!r} is not of the form key=value")
    return key.strip(), value


def spoken(value: object) -> str:
    """Give a value as `--data` takes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def split(data: Mapping[str, object]) -> tuple[dict[str, object], object, dict[str, object]]:
    """Part `data` into the choices, the stack insisted on, if any, and the answers to the template's questions."""
    deciding = {key: value for key, value in data.items() if key in DOMAINS}
    answers = {key: value for key, value in data.items() if key not in DOMAINS and key != "stack"}
    return deciding, data.get("stack"), answers


def parse(data: Mapping[str, object]) -> Choices:
    """Give the choices in `data`, defaults for the rest.

    Raises `UsageError` for the first key or value that is not known.
    """
    if not data:
        return Choices()
    from pydantic import TypeAdapter, ValidationError  # two thirds of the start-up time

    try:
        return TypeAdapter(Choices).validate_python(dict(data))
    except ValidationError as error:
        raise _refused(str(error.errors()[0]["loc"][0]), data) from error


def _refused(key: str, data: Mapping[str, object]) -> UsageError:
    if key not in DOMAINS:
        return UsageError(f"unknown key {key[:80]!r}", suggest(key, DOMAINS))
    known = [member.value for member in DOMAINS[key]]
    said = repr(data[key])[:80]
    return UsageError(f"{key}: {said} is not one of {', '.join(known)}", suggest(str(data[key]), known, key))


def suggest(word: str, known: Iterable[str], key: str = "") -> str:
    """Give a "did you mean" for another name or the nearest of the known words, or an empty string."""
    known = list(known)
    word = word.strip().lower()[:80]
    family = [repr(value) for value in known if word in FAMILIES and value.startswith(f"{FAMILIES[word]}-")]
    if len(family) > 1:
        return f"did you mean {', '.join(family[:-1])} or {family[-1]}?"
    meant = [value for value, names in OTHER_NAMES.get(key, {}).items() if word in names.split()]
    near = meant[0] if meant else nearest(word, known)
    return f"did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Give the known word that is most like another one, an empty string where none is."""
    return next(iter(difflib.get_close_matches(word[:80], list(known), n=1, cutoff=0.6)), "")
