"""Themes: complete, readable, and a bad file costs a sentence and nothing else."""

from itertools import product

import pytest
from textual.color import Color

from tradedesk.ui import themes

SHIPPED = themes.load_themes().by_name


def luminance(colour: Color) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(Color.parse(one)), luminance(Color.parse(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_dark_a_light_and_a_mono_theme_are_shipped_without_a_problem():
    loaded = themes.load_themes()
    assert loaded.problems == ()
    assert {"desk-dark", "desk-light", "mono"} <= set(loaded.by_name)
    assert not loaded.by_name["desk-light"].dark


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_file_names_every_colour_of_the_desk(name):
    written = (themes.shipped_folder() / f"{name}.toml").read_text(encoding="utf-8")
    assert [key for key in themes.DEFAULTS if f"{key} = " not in written] == []


@pytest.mark.parametrize(("name", "key"), product(sorted(SHIPPED), ["foreground", *themes.DEFAULTS]))
def test_text_is_readable_on_every_ground_of_its_theme(name, key):
    theme = SHIPPED[name]
    colour = theme.foreground if key == "foreground" else theme.variables[key]
    for ground in (theme.background, theme.surface, theme.variables["primary-muted"]):
        assert contrast(colour, ground) >= 4.5, f"{name}: {key} {colour} on {ground}"


def test_the_operators_theme_wins_over_a_shipped_one_of_the_same_name(tmp_path):
    (tmp_path / "mono.toml").write_text('primary = "#123456"\n')
    (tmp_path / "own.toml").write_text('primary = "#123456"\n[variables]\ntd-buy = "#abcdef"\n')
    loaded = themes.load_themes(tmp_path)
    assert loaded.by_name["mono"].primary == "#123456"
    assert loaded.by_name["own"].variables["td-buy"] == "#abcdef"
    assert loaded.by_name["own"].variables["td-sell"] == themes.DEFAULTS["td-sell"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('primary = "blurple"', "primary: 'blurple' is not a colour; write #rrggbb"),
        ("dark = true", "primary: missing"),
        ('primary = "#fff"\n[variables]\ntd-buy = 7', "variables.td-buy: 7 is not a colour"),
        ('primary = "#fff"\n[variables]\ntd-bye = "#fff"', "variables.td-bye: no such colour; the desk has td-buy"),
        ('primary = "#fff"\ndark = "yes"', "dark: 'yes' is not true or false"),
        ('primary = "#fff"\ntext_alpha = 3', "text_alpha: 3 is not a number from 0 to 1"),
        ('primary = "#fff"\nprimry = "#fff"', "primry: no such key; a theme has primary"),
        ('variables = 3\nprimary = "#fff"', "variables: write a table"),
        ("primary = ", "not a TOML file"),
        (b"\xff\xfe", "not a TOML file"),
    ],
)
def test_a_bad_file_is_named_with_its_key_and_the_rest_stays(tmp_path, content, said):
    bad = tmp_path / "neon.toml"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    loaded = themes.load_themes(tmp_path)
    assert set(loaded.by_name) == set(SHIPPED)
    assert len(loaded.problems) == 1
    assert loaded.problems[0].startswith(f"{bad}: ")
    assert said in loaded.problems[0]


def test_the_last_good_version_of_a_theme_stays_when_its_file_breaks(tmp_path):
    file = tmp_path / "neon.toml"
    file.write_text('primary = "#00ff00"\n')
    good = themes.load_themes(tmp_path)
    file.write_text('primary = "no"\n')
    after = themes.load_themes(tmp_path, before=good.by_name)
    assert after.by_name["neon"].primary == "#00ff00"
    assert len(after.problems) == 1


def test_all_mistakes_of_a_file_come_at_once():
    with pytest.raises(ValueError, match=r"primary: .*text_alpha: .*td-up: ") as caught:
        themes.parse_theme("x", b'primary = "no"\ntext_alpha = 9\n[variables]\ntd-up = "no"', "x.toml")
    assert str(caught.value).count(";") >= 2
