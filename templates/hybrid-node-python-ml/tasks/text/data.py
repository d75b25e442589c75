# Of a passage this much is read.
PASSAGE_WORDS = 150


@dataclass(frozen=True, slots=True)
class Split:
    """Sentences, and then, in the same order, the passage that each one sums up."""

    train_rows: list[str]
    test_rows: list[str]


def load_data(seed: int, test_share: float) -> Split:
    """What NumPy and scikit-learn say of their functions, in the files that are installed."""
    pairs = sorted(_pairs())
    order = np.random.default_rng(seed).permutation(len(pairs))
    tests = round(len(pairs) * test_share)
    test, train = ([pairs[place] for place in part] for part in (order[:tests], order[tests:]))
    return Split(train_rows=_rows(train), test_rows=_rows(test))


def _rows(pairs: list[tuple[str, str]]) -> list[str]:
    return [sentence for sentence, _ in pairs] + [passage for _, passage in pairs]


def _pairs() -> Iterator[tuple[str, str]]:
    known: set[str] = set()
    for package in ("numpy", "sklearn"):
        for file in sorted(Path(str(files(package))).rglob("*.py")):
            for sentence, passage in () if "tests" in file.parts else _documented(file):
                enough = len(task.tokens(sentence)) >= 4 and len(task.tokens(passage)) >= 25
                if enough and known.isdisjoint({sentence, passage}):
                    known |= {sentence, passage}
                    yield sentence, passage


def _documented(file: Path) -> Iterator[tuple[str, str]]:
    """The first sentence and the rest of what is said of each function and class in a file."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            sentence, _, rest = (ast.get_docstring(node) or "").partition("\n\n")
            told = re.split(r"^(?:References|Examples)$", rest, maxsplit=1, flags=re.MULTILINE)[0]
            yield " ".join(sentence.split()), " ".join(told.split()[:PASSAGE_WORDS])
