"""The flags that several commands share: what each is called, takes and completes to.

Like `cli`, it imports everything but typer where it is used.
"""

from collections.abc import Callable
from typing import Annotated

import typer
from typer.models import OptionInfo


def _complete(key: str) -> Callable[[str], list[str]]:
    def values(incomplete: str) -> list[str]:
        from stackgen.choices import DOMAINS, STACKS

        values = STACKS if key == "stack" else [member.value for member in DOMAINS[key]]
        return [value for value in values if value.startswith(incomplete)]

    return values


def _choice(key: str, text: str) -> OptionInfo:
    option: OptionInfo = typer.Option(
        f"--{key}", metavar="VALUE", help=text, autocompletion=_complete(key), show_default=False
    )
    return option


PRODUCTS = (
    "What is built: saas (default), web, mobile, realtime, api, data-science, devops-tool, microservice, "
    "internal (a tool for your own people) or ingest (of events or devices' data)."
)
AI_ROLES = "none (default), feature (calls a model somebody else serves) or core (our own model is the product)."
BOTTLENECKS = "What the work waits for: io (default), cpu or part (io, with one part that computes)."
TEAMS = (
    "What the team knows best: mixed (default), typescript, python or go; small-typescript, small-python or small-go "
    "for one or two people; code-typescript, code-python or code-go where there is code that stays."
)
_NAMES = "node-ts, hybrid-node-python-ml, python-django, go or another stack of the template"
INSISTED = f"Insist on {_NAMES}."
ALONE = f"This stack alone: {_NAMES}."

ProductFlag = Annotated[str | None, _choice("product", PRODUCTS)]
AiFlag = Annotated[str | None, _choice("ai", AI_ROLES)]
BottleneckFlag = Annotated[str | None, _choice("bottleneck", BOTTLENECKS)]
TeamFlag = Annotated[str | None, _choice("team", TEAMS)]
StackFlag = Annotated[str | None, _choice("stack", INSISTED)]
OneStackFlag = Annotated[str | None, _choice("stack", ALONE)]
AnswersFlag = Annotated[
    str | None, typer.Option("--answers", metavar="FILE|-", help="Read choices and answers from YAML or JSON.")
]
DataFlag = Annotated[
    list[str] | None, typer.Option("--data", "-d", metavar="KEY=VALUE", help="One choice or answer; repeatable.")
]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: defaults for all that is not given.")]
SkipFlag = Annotated[
    list[str] | None, typer.Option("--skip", metavar="STEP", help="Leave a step of verify out; repeatable.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object; asks nothing.")]
TemplateFlag = Annotated[
    str | None,
    typer.Option(
        "--template", envvar="STACKGEN_TEMPLATE", metavar="SOURCE", help="Another template: a git URL or a path."
    ),
]
