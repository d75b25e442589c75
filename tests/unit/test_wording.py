"""How a question stands on a terminal, whatever its width."""

import pytest

from stackgen import wording
from stackgen.layout import Style

LONG = "https://git.example.com/our-company/our-team/templates"


@pytest.mark.parametrize("columns", [40, 80, 160])
@pytest.mark.parametrize("placeholder", ["my-app", "a sentence of more words than forty columns hold", LONG])
@pytest.mark.parametrize("question", ["Name?", "What is it called by those who do not know it well?"])
def test_an_example_of_an_answer_is_in_whole_words_and_no_line_too_wide(
    question: str, placeholder: str, columns: int
) -> None:
    style = Style(width=columns, terminal=True)
    message, hint = wording.example("12 of 13", wording.message("12 of 13", question, style), placeholder, style)
    shown = f"12 of 13 {message}  {hint} "  # as questionary puts them together
    assert shown.split() == f"12 of 13 {question} (for example {placeholder})".split()
    assert all(len(line) < columns for line in shown.split("\n") if LONG not in line)
