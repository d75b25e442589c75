"""Which releases updates are tested from: few, whatever their number, and all of them in turn."""

import pytest
from releases import oldest_middle_newest, some

MANY = [f"0.{minor}.0" for minor in range(30)]


@pytest.mark.parametrize("seed", range(20))
def test_the_oldest_and_the_two_newest_are_always_among_them_and_one_in_between(seed: int) -> None:
    oldest, picked, *newest = some(MANY, seed)
    assert (oldest, newest) == (MANY[0], MANY[-2:])
    assert picked in MANY[1:-2]


def test_the_same_seed_picks_the_same_and_others_reach_every_release() -> None:
    assert some(MANY, 7) == ["0.0.0", "0.11.0", "0.28.0", "0.29.0"]
    assert {version for seed in range(1000) for version in some(MANY, seed)} == set(MANY)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_while_there_are_few_all_are_taken(count: int) -> None:
    assert some(MANY[:count], 1) == MANY[:count]


def test_three_of_them_are_installed_before_a_release() -> None:
    assert oldest_middle_newest(MANY) == ["0.0.0", "0.15.0", "0.29.0"]
    assert oldest_middle_newest(MANY[:1]) == ["0.0.0"]
    assert oldest_middle_newest(MANY[:2]) == ["0.0.0", "0.1.0"]
