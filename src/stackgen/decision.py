"""A decision as plain data: as programs are told of it, and as the project records it. Pure."""

from typing import Any

from stackgen.article import MEASURED
from stackgen.choices import DOMAINS
from stackgen.recommend import PairOfFlips, Recommendation, because, words

_RECORDED = ("stack", "title", "overridden", "rule", "section", "reasons", "cautions", "disclosure")
_RECORDED_BY_HAND = ("stack", "title", "by_hand", "section", "reasons", "taken_when", "cautions", "disclosure")


def data(r: Recommendation) -> dict[str, Any]:
    """Give all of a decision, with its stacks by their names."""
    return {
        "stack": r.stack,
        "title": r.catalogue.title(r.stack),
        "overridden": r.overridden,
        "recommended": r.recommended,
        "rule": r.rule,
        "section": r.section,
        "choices": {key: getattr(r.choices, key).value for key in DOMAINS},
        "said": list(r.said),
        "assumed": list(r.assumed),
        "by_hand": r.by_hand,
        "taken_when": list(r.taken_when),
        "reasons": list(r.reasons),
        "cautions": list(r.cautions),
        "runner_up": {"stack": r.runner_up, "title": r.catalogue.title(r.runner_up), "reason": r.runner_up_reason},
        "flips": [{"key": f.key, "from": f.old, "to": f.new, "stack": f.stack} for f in r.flips],
        "pairs": [{"changes": _changes(p), "stack": p.stack} for p in r.pairs],
        "follows": [{"key": a.key, "value": a.value, "because": because(a, r)} for a in r.answers],
        "part": r.part.text if r.part else "",
        "disclosure": [*r.disclosure, *MEASURED],
    }


def _changes(pair: PairOfFlips) -> list[dict[str, object]]:
    return [{"key": key, "to": list(values)} for key, values in (pair.first, pair.second)]


def recorded(r: Recommendation) -> dict[str, object]:
    """Give what a project records: what its page is made of, with stacks by their titles, which no release changes."""
    told, title = data(r), r.catalogue.title
    if r.by_hand:
        return {key: told[key] for key in _RECORDED_BY_HAND}
    return {key: told[key] for key in _RECORDED} | {
        "recommended": title(r.recommended),
        "choices": [{"key": k, "value": value, "said": k in r.said} for k, value in told["choices"].items()],
        "runner_up": {key: told["runner_up"][key] for key in ("title", "reason")},
        "flips": [
            {**{k: flip[k] for k in ("key", "from", "to")}, "title": title(flip["stack"])} for flip in told["flips"]
        ],
        "pairs": [{"changes": words(pair), "title": title(pair.stack)} for pair in r.pairs],
        "answers": [{"key": a.key, "value": a.spoken, "because": because(a, r)} for a in r.answers],
        "part": told["part"],
    }
