"""The onion: koa-compose."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, some
from .programs import run_compose
from .sides import Sides

actions = st.one_of(
    st.tuples(st.just("log"), some("x", "y")),
    st.just(("next",)),
    st.just(("next",)),
    st.just(("tolerant next",)),
    st.just(("pause",)),
    st.tuples(st.just("raise"), some("oops", "ouch")),
    st.tuples(st.just("return"), st.sampled_from([1, "two", None, False, [3]])),
)
programs = st.recursive(
    st.builds(
        lambda name, drawn: {
            "name": name,
            "actions": [["log", "in"], *map(list, drawn), ["log", "out"]],
        },
        some(*"abcdef"),
        st.lists(actions, max_size=4),
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda each: {"compose": each}),
    max_leaves=6,
)


@examples(250)
@given(st.lists(programs, max_size=5), some(1, 1, 2))
def test_the_onion_is_the_same(sides: Sides, drawn: list[dict[str, Any]], times: int) -> None:
    case: dict[str, Any] = {"programs": drawn, "times": times}
    koa = sides.driver.ask("compose", **case)
    sides.answers("compose", case, koa, sides.runner.run(run_compose(**case)))
