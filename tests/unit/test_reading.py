"""One bounded door: whatever is read becomes plain data, or is refused at once and in one line."""

import os
import threading
from pathlib import Path

import pytest

from stackgen import reading
from stackgen.errors import UsageError

BILLION = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)
MANY = [*range(80_000), 7]
REFUSED = {
    "a list": ("- a\n- b\n", "must hold keys and values"),
    "a text": ("just text", "must hold keys and values"),
    "nothing": ("", "is empty"),
    "only comments": ("# name: shop\n\n", "is empty"),
    "numbers for keys": ("1: 2", "must hold keys and values"),
    "an open list": ("name: shop\nowner: [", "is neither YAML nor JSON"),
    "a NUL byte": ("\x00", "is neither YAML nor JSON"),
    "an object": ("a: !!python/name:os.system", "line 1 is neither YAML nor JSON"),
    "a billion aliases": (BILLION, "line 2: aliases are not taken"),
    "deep YAML": ("a: " + "[" * 100_000 + "]" * 100_000, "nest"),
    "deep JSON": ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nest"),
    "rather deep YAML": ("a:\n  " + "[" * 60 + "]" * 60, "line 2: nested more than 50 deep"),
    "a key twice": ("name: a\nci: none\nname: b\n", "line 3: the key 'name' is there twice"),
    "a key twice inside": ("name: a\nlabels:\n  x: 1\n  x: 2\n", "line 4: the key 'x' is there twice"),
    "a key twice in JSON": ('{\n"name": "a",\n"x": [1,\n2], "name": "b"}', "line 4: the key 'name' is there twice"),
    "a key twice inside in JSON": ('{"name": {"a": 1, "a": 2}}', "answers.yml: the key 'a' is there twice"),
    "one of many keys twice": (
        f"{{{','.join(f'{chr(34)}{n}{chr(34)}:1' for n in [*range(80_000), 7])}}}",
        "'7' is there",
    ),
    "rather deep JSON": ('{"a": ' + "[" * 60 + "]" * 60 + "}", "nested more than 50 deep"),
    "two documents": ("name: a\n---\nname: b\n", "is neither YAML nor JSON"),
    "an endless number": ("a: " + "9" * 10_000, "is neither YAML nor JSON: a number of more digits"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_plain_mapping_is_refused_in_one_short_line(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        reading.mapping(text, "answers.yml")
    assert caught.value.message.startswith("answers.yml")
    assert reason in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 200


def test_answers_are_yaml_or_json_and_either_says_on_which_line() -> None:
    assert reading.mapping("name: my-shop\nproduct: web\n", "x") == (
        {"name": "my-shop", "product": "web"},
        {"name": 1, "product": 2},
    )
    assert reading.mapping('{"name": "my-shop",\n "a": {"name":\n [1, {}]},\n\n"b" : ""}\n', "x") == (
        {"name": "my-shop", "a": {"name": [1, {}]}, "b": ""},
        {"name": 1, "a": 2, "b": 5},
    )
    assert reading.mapping(" {\n}\n", "x") == ({}, {})


def test_words_that_yaml_once_took_for_something_else_are_words() -> None:
    found, _ = reading.mapping("ci: no\ncache: on\ndescription: 2026-01-01\njobs: true\nreplicas: 3\n", "x")
    assert found == {"ci": "no", "cache": "on", "description": "2026-01-01", "jobs": True, "replicas": 3}


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_bytes("name: shop\n".encode("utf-8-sig"))
    assert reading.read(str(tmp_path / "answers.yml"))[0] == "name: shop\n"


def test_what_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_bytes("name: shop\nowner: Söhne\n".encode("latin-1"))
    with pytest.raises(UsageError, match="line 2 is not UTF-8"):
        reading.read(str(tmp_path / "answers.yml"))


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "answers.yml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UsageError, match="larger than a million bytes"):
        reading.read(str(tmp_path / "answers.yml"))


def test_a_device_a_folder_and_a_pipe_without_a_writer_keep_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert reading.read(str(tmp_path / "pipe"))[0] == ""
    for place, reason in (("/dev/zero", "it is a device"), (str(tmp_path), "directory")):
        with pytest.raises(UsageError, match=reason):
            reading.read(place)


def test_what_a_program_writes_into_a_pipe_is_read() -> None:
    there, here = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(here, b"name: shop\n"), os.close(here)))
    writer.start()
    assert reading.read(f"/dev/fd/{there}")[0] == "name: shop\n"
    writer.join()
    os.close(there)
