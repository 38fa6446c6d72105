"""Where each pane stands, for any size of terminal."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from textual.geometry import Region, Size

from tradedesk.ui.layout import TABLES, Shown, plan, width_class
from tradedesk.ui.verbs import PANES

shown = st.builds(
    Shown,
    tab=st.sampled_from(PANES),
    table=st.sampled_from(TABLES),
    zoomed=st.none() | st.sampled_from(PANES),
    has_ticket=st.booleans(),
    has_grown_logs=st.booleans(),
)


@given(st.integers(20, 300), st.integers(6, 120), shown)
@settings(max_examples=300)
def test_the_places_fill_the_body_without_a_gap_or_an_overlap(width: int, height: int, chosen: Shown) -> None:
    places = plan(Size(width, height), chosen)
    assert sum(region.area for region in places.values()) == width * height
    for one, other in itertools.combinations(places.values(), 2):
        assert not one.overlaps(other)
    assert all(Region(0, 0, width, height).contains_region(region) for region in places.values())


@given(st.integers(80, 300), st.integers(21, 120), shown)
@settings(max_examples=200)
def test_every_pane_has_room_for_a_border_and_three_lines(width: int, height: int, chosen: Shown) -> None:
    for name, region in plan(Size(width, height), chosen).items():
        assert name == "tabs" or (region.height >= 4 and region.width >= 40), (name, region)


def test_the_three_sizes_are_those_that_were_agreed() -> None:
    assert plan(Size(80, 22), Shown())["market"] == Region(0, 1, 80, 21)
    mid = plan(Size(120, 34), Shown(has_ticket=True))
    assert (mid["market"].width, mid["chart"].size, mid["logs"].height) == (46, Size(46, 12), 4)
    assert (mid["ticket"].size, mid["alerts"].size) == (Size(74, 8), Size(74, 8))
    wide = plan(Size(200, 48), Shown(has_ticket=True))
    assert [wide[name].width for name in ("fleet", "chart", "market")] == [44, 80, 76]
    assert wide["ticket"].size == Size(80, 9)


def test_opening_a_ticket_moves_nothing_but_what_makes_room_for_it() -> None:
    """Rows must not move under the cursor."""
    for size in (Size(80, 22), Size(120, 34), Size(200, 48)):
        before, after = plan(size, Shown()), plan(size, Shown(has_ticket=True))
        changed = [name for name in before if before[name] != after[name]]
        assert len(changed) == 1
        assert before[changed[0]].offset == after[changed[0]].offset


def test_a_low_terminal_takes_the_next_narrower_layout() -> None:
    assert width_class(Size(200, 30)) == "-mid"
    assert width_class(Size(200, 22)) == "-narrow"
    assert width_class(Size(200, 12)) == "-small"
