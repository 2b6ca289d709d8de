"""Branches of a pipeline: stages that follow one another, and what has to be done before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Branch:
    """Stages that one process runs, one after another.

    Attributes:
        stages: their names, in order.
        needs: places of the branches that have to end well before, among all.
        rank: number of stages in it, and in all branches that wait for it, one through another.
    """

    stages: tuple[str, ...]
    needs: frozenset[int]
    rank: int


def branches(order: Sequence[str], needs: Mapping[str, set[str]]) -> list[Branch]:
    """Cut a pipeline where it forks and where it joins, and nowhere else.

    A process costs a start of DVC, 0.5 s of CPU; so what cannot run side by side shares one.

    Args:
        order: the stages' names; what a stage needs stands before it.
        needs: of each stage, those of `order` that it depends on.

    Returns:
        The branches, in an order that could be run one by one.
    """
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(order)
    graph.add_edges_from((before, name) for name in order for before in needs[name])
    graph = nx.transitive_reduction(graph)
    chains: list[list[str]] = []
    place: dict[str, int] = {}
    for name in order:
        before = list(graph.predecessors(name))
        if len(before) == 1 and graph.out_degree(before[0]) == 1:
            place[name] = place[before[0]]
            chains[place[name]].append(name)
        else:
            place[name] = len(chains)
            chains.append([name])
    heads = [frozenset(place[name] for name in graph.predecessors(chain[0])) for chain in chains]
    after: list[set[int]] = [{number} for number in range(len(chains))]
    for number in reversed(range(len(chains))):
        for needed in heads[number]:
            after[needed] |= after[number]
    ranks = [sum(len(chains[other]) for other in others) for others in after]
    return [Branch(tuple(c), n, r) for c, n, r in zip(chains, heads, ranks, strict=True)]
