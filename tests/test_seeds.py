"""Named streams: repeatable, told apart by every part of their name, and not the global generator's."""

import itertools

import torch

from kdutils import seeds


def draws(*name, n=1000):
    return torch.rand(n, generator=seeds.generator(*name))


def test_the_same_name_gives_the_same_stream():
    assert torch.equal(draws(0, "step", 3, 1), draws(0, "step", 3, 1))


def test_every_part_of_a_name_matters_and_so_does_its_place():
    places = [(), (0,), (1,), ("1",), (1, 0), (10,)]
    names = [(0, "x", *place) for place in places] + [(1, "x"), (0, "y"), (0, "x1")]
    for one, other in itertools.combinations(names, 2):
        assert not torch.equal(draws(*one), draws(*other)), (one, other)


def test_streams_of_neighbouring_steps_are_unrelated():
    streams = torch.stack([draws(0, "step", 0, step) for step in range(50)])
    off_diagonal = torch.corrcoef(streams)[~torch.eye(50, dtype=torch.bool)]
    assert off_diagonal.abs().max() < 5 / 1000**0.5
    assert abs(float(streams.mean()) - 0.5) < 5 * (1 / 12 / streams.numel()) ** 0.5


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    draws(0, "x")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_streams_are_those_that_recorded_results_were_made_with():
    """A change here changes the numbers behind every stored key, which would go on answering with the old ones."""
    assert seeds.generator(0, "order", 0).initial_seed() == 1864822792221289227
