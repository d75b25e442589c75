"""The flags that several commands share: what each is called, takes and completes to.

Like `cli`, it imports everything but typer where it is used.
"""

import os
import shlex
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException
from typer.models import OptionInfo

_MAY_BE_EMPTY = "apply"  # the digest of a plan without a change is


class Command(TyperCommand):
    """A command that takes nothing empty, a script's variable that was never set, and knows a question's name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer keeps the type to itself
        """Refuse what is empty and what is unknown, then go on as ever."""
        if not ctx.resilient_parsing:
            try:
                said: dict[str, object] = self.make_parser(ctx).parse_args(list(args))[0]
            except TyperException as error:
                self._refuse_a_question(error, args)
                raise
            for param in self.params:
                if said.get(str(param.name)) == "" and param.name != _MAY_BE_EMPTY:
                    shown = max(param.opts, key=len) if param.param_type_name == "option" else str(param.name).upper()
                    raise _refusal(f"{shown} is empty", "leave it out, or say which")
        return super().parse_args(ctx, args)

    def _refuse_a_question(self, error: TyperException, args: list[str]) -> None:
        """Refuse a question's name that was written as a flag with what was meant."""
        taken = {param.name for param in self.params} & {"data", "feature"}
        if type(error).__name__ != "NoSuchOption" or not taken:
            return
        from stackgen import choices, questions, source

        option = str(getattr(error, "option_name", ""))
        ours = {**os.environ, "STACKGEN_TEMPLATE": ""}  # nothing is fetched for a slip of the pen
        types = {each.key: each.type for each in questions.read(source.find(None, ours).questions).items}
        written = option.lstrip("-").replace("-", "_")
        key = choices.nearest(written, types)
        if not key or (key != written and getattr(error, "possibilities", None)):
            return
        answer = f"{key}={_value(option, args, types[key])}"
        meant = f"stackgen {self.name} {key}" if "feature" in taken else f"-d {shlex.quote(answer)}"
        raise _refusal(f"No such option: {option}", f"did you mean {meant}?") from error


def _refusal(message: str, hint: str) -> Exception:
    from stackgen.errors import UsageError

    return UsageError(message, hint)


def _value(option: str, args: list[str], kind: str) -> str:
    """Give the value that was said behind an option, or one that could have been."""
    for word, following in zip(args, [*args[1:], "-"], strict=True):
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if word == option and kind != "bool" and not following.startswith("-"):
            return following
    return "yes" if kind == "bool" else "VALUE"


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
AI_ROLES = (
    "none (default), feature (calls a model somebody else serves), core (our own model is the product) "
    "or search (answers from our own documents)."
)
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
