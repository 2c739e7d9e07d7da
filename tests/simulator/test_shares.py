"""How the histories that are wanted are shared out among the stories."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.explore import PARTS_OF_SINGLES, singles
from simulator.shares import shared_out
from simulator.world import World


def test_a_story_that_is_twice_as_long_is_told_a_thirty_second_as_often() -> None:
    assert shared_out(1650, {"short": 50, "long": 100}) == {"short": 1600, "long": 50}


def test_of_each_story_some_are_told_however_long_it_is() -> None:
    lengths = {"short": 10, "long": 1000, "of few": 1000}
    most = {"short": 1000, "long": 1000, "of few": 3}
    assert shared_out(100, lengths, most=most, at_least=5) == {"short": 92, "long": 5, "of few": 3}
    assert shared_out(10, lengths, at_least=5) == {"short": 10, "long": 0, "of few": 0}


def test_what_a_story_has_no_room_for_the_others_get() -> None:
    lengths = {"short": 50, "middle": 100, "long": 200}
    most = {"short": 100, "middle": 1000, "long": 1000}
    assert shared_out(1000, lengths, most=most) == {"short": 100, "middle": 873, "long": 27}


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.tuples(st.integers(1, 500), st.integers(0, 5000)),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 100_000),
    st.integers(0, 20),
)
def test_all_are_given_away_as_far_as_there_is_room(
    stories: dict[str, tuple[int, int]], count: int, at_least: int
) -> None:
    lengths = {name: length for name, (length, _) in stories.items()}
    most = {name: room for name, (_, room) in stories.items()}
    shares = shared_out(count, lengths, most=most, at_least=at_least)
    assert all(0 <= shares[name] <= most[name] for name in stories)
    assert sum(shares.values()) == min(count, sum(most.values()))


def test_of_singles_the_shorter_stories_have_all() -> None:
    names = ["redeem-no-code", "sell-gift"]
    world = World()
    everything = singles(world, 1, names, wanted=5000)
    assert {piece.share for piece in everything} == {1.0}
    some = singles(world, 1, names, wanted=2000)
    shares = {piece.story: piece.share for piece in some}
    assert shares["redeem-no-code"] == 1.0
    assert 0.01 < shares["sell-gift"] < 0.4
    told = sum(piece.tell(world).histories["singles"] for piece in some if piece.part == 1)
    assert abs(told * PARTS_OF_SINGLES / 720 - 1) < 0.5
