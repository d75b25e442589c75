"""The witness of the updates tells a line that was lost, or put elsewhere, from one that a release has moved."""

from witness import Case, Files, Held, lines_lost

OLD = ["name", "ajv 1.0.1", "stripe 2.3.0", "prom-client 4.5.6", "zod 7.8.9"]
MINE = ["name", "ajv 1.0.7", "stripe 2.3.6", "prom-client 4.5.9", "valibot 1.2.0", "zod 7.8.12"]
NEW = ["name", "ajv 1.0.2", "prom-client 4.5.7", "stripe 2.3.1", "zod 7.8.9"]


def held(lines: list[str]) -> Files:
    return {"package.json": Held("".join(f"{line}\n" for line in lines).encode(), "file")}


def found(has: list[str], new: list[str]) -> list[str]:
    files = [{"path": "package.json", "class": "merged", "note": ""}]
    case = Case(held(OLD), held(MINE), held(new), held(has), {"files": files, "given_up": []})
    return list(lines_lost(case))


def test_a_raised_pin_that_the_release_puts_elsewhere_is_where_it_belongs() -> None:
    has = ["name", "ajv 1.0.7", "prom-client 4.5.9", "valibot 1.2.0", "stripe 2.3.6", "zod 7.8.12"]
    assert found(has, NEW) == []


def test_a_raised_pin_that_nobody_has_moved_keeps_its_place() -> None:
    has = ["name", "ajv 1.0.7", "prom-client 4.5.9", "valibot 1.2.0", "stripe 2.3.6", "zod 7.8.12"]
    assert found(has, OLD) == ["package.json: lines of the owner's stand in another order"]


def test_a_line_that_is_the_owners_alone_keeps_its_place_among_those_that_the_release_has_not_moved() -> None:
    has = ["name", "valibot 1.2.0", "ajv 1.0.7", "prom-client 4.5.9", "stripe 2.3.6", "zod 7.8.12"]
    assert found(has, NEW) == ["package.json: lines of the owner's stand in another order"]


def test_a_raised_pin_that_is_gone_is_lost_wherever_the_release_has_it() -> None:
    assert found([line for line in MINE if "stripe" not in line], NEW) == ["package.json: lost b'stripe 2.3.6'"]
