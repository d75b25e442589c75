"""`stackgen new`: a settled request, shown or generated."""

import re

from stackgen import advice, console, layout, render, toolchain, values
from stackgen.errors import UsageError
from stackgen.outcome import Outcome
from stackgen.request import Request

_DIGEST = "[0-9a-f]{64}"


def refuse_nonsense(*, dry_run: bool, apply: str | None) -> None:
    """Refuse to show and to write at the same time, and what is no digest."""
    if dry_run and apply is not None:
        raise UsageError("--plan and --apply cannot go together", "see stackgen new --help")
    if apply is not None and not re.fullmatch(_DIGEST, apply):
        message = f"--apply: {values.shown(apply)} is not the digest of a plan" if apply else "--apply is empty"
        raise UsageError(message, "--plan shows it, 64 digits and letters")


def preview(request: Request) -> Outcome:
    """Show what `generate` would write, without writing it."""
    files, digest = render.look(request.plan)
    return Outcome(
        data=lambda: {**_data(request), "dry_run": True, "files": list(files), "digest": digest},
        text=lambda style: console.preview_text(
            request.recommendation, request.answers, request.plan.destination, files, style, digest
        ),
    )


def generate(request: Request, expected: str | None = None) -> Outcome:
    """Write the project, the one that was `expected` if any was; what this machine lacks is part of the outcome."""
    made = render.generate(request.plan, expected)
    record = request.recommendation.catalogue.record(request.recommendation.stack)
    warnings = toolchain.problems(record)
    commands = record.commands
    name = str(request.answers["name"])
    return Outcome(
        data=lambda: {
            **_data(request),
            "dry_run": False,
            "files": list(made.files),
            "git": made.repository,
            "kept": list(made.kept),
            "warnings": list(warnings),
            "next": [f"cd {request.plan.destination}", *commands],
        },
        text=lambda style: console.generated_text(
            advice.one_line(request.recommendation, style)
            if request.talked
            else advice.text(request.recommendation, style),
            request.plan.destination,
            commands,
            warnings,
            [
                layout.command(request.equivalent, style),
                *advice.part_lines(request.recommendation, name, request.template, style),
            ],
            style,
            made.kept,
        ),
    )


def _data(request: Request) -> dict[str, object]:
    return {
        **advice.data(request.recommendation, request.template, str(request.answers["name"])),
        "answers": dict(request.answers),
        "destination": str(request.plan.destination.absolute()),
        "source": request.plan.source,
        "version": request.plan.version,
        "command": request.equivalent,
    }
