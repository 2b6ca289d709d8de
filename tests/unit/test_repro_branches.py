"""How a pipeline is cut into branches: where it forks and where it joins, and nowhere else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.repro.branches import branches


def test_a_chain_is_one_branch_however_its_stages_refer_back() -> None:
    needs = {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"a", "b", "c"}}
    (found,) = branches(list(needs), needs)
    assert (found.stages, found.needs, found.rank) == (("a", "b", "c", "d"), frozenset(), 4)


def test_a_fork_ends_a_branch_and_a_join_begins_one() -> None:
    needs = {"a": set(), "b": {"a"}, "l": {"b"}, "m": {"l", "a"}, "r": {"b"}, "j": {"m", "r"}}
    found = branches(list(needs), needs)
    assert [each.stages for each in found] == [("a", "b"), ("l", "m"), ("r",), ("j",)]
    assert [set(each.needs) for each in found] == [set(), {0}, {0}, {1, 2}]
    assert [each.rank for each in found] == [6, 3, 2, 1]


def test_stages_that_need_nothing_are_branches_of_their_own() -> None:
    found = branches(["a", "b"], {"a": set(), "b": set()})
    assert [each.stages for each in found] == [("a",), ("b",)]


@given(st.lists(st.sets(st.integers(0, 11)), max_size=12))
def test_every_stage_runs_once_and_after_what_it_needs(drawn: list[set[int]]) -> None:
    needs = {str(n): {str(m) for m in some if m < n} for n, some in enumerate(drawn)}
    found = branches(list(needs), needs)
    assert sorted(name for each in found for name in each.stages) == sorted(needs)
    done: set[str] = set()
    before: list[set[str]] = []
    for each in found:
        known = set().union(*(before[place] for place in each.needs))
        for name in each.stages:
            assert needs[name] <= known, "what it needs is in its own branch, or one it waits for"
            known.add(name)
        before.append(known)
        assert all(found[place].rank > each.rank for place in each.needs)
        done |= known
