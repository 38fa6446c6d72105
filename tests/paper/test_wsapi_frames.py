"""A frame of the WebSocket API is read the same, whichever way it takes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.paper.server.wsapi import BadFrame, _parse_any, _parse_plain, parse

_texts = st.text(alphabet='aZ0:",\\{}[]. \n€', max_size=8)
_values = st.one_of(
    _texts, st.booleans(), st.none(), st.integers(-(10**20), 10**20), st.floats(), st.lists(_texts, max_size=2)
)
_frames = st.fixed_dictionaries(
    {"id": st.one_of(_values, st.text(max_size=40)), "method": st.one_of(st.just("order.place"), _values)},
    optional={"params": st.one_of(st.dictionaries(_texts, _values, max_size=4), _values)},
)


@settings(max_examples=500, deadline=None)
@given(_frames, st.booleans(), st.booleans())
def test_the_quick_way_reads_what_the_careful_one_reads(frame, is_compact, is_ascii):
    text = json.dumps(frame, separators=(",", ":") if is_compact else None, ensure_ascii=is_ascii)
    quick = _parse_plain(text)
    if quick is not None:
        assert quick == _parse_any(text)
    try:
        careful = _parse_any(text)
    except BadFrame:
        with pytest.raises(BadFrame):
            parse(text)
    else:
        assert parse(text) == careful


@pytest.mark.parametrize(
    "text",
    [
        '{"id":1,"method":"order.place","params":{"price":0.10,"timestamp":1}}',  # signed as written
        '{"id":1,"method":"order.place","params":{"quantity":1e-5}}',
        '{"id":1,"method":"order.place","params":{"timestamp":-0}}',
        '{"id":1,"method":"order.place","params":{"a":"1","a":"2"}}',  # a name twice
        '{"id":1,"id":2,"method":"order.place","params":{}}',
        '{"id":1,"method":"m","params":{"a":"\\":"}}',
        '{"id":1,"method":"m","params":[]}',
        '{"id":1,"method":"m"}',
        '["id"]',
        '"id"',
        "",
        "{",
    ],
)
def test_what_is_not_plain_is_read_with_care(text):
    assert _parse_plain(text) is None


def test_the_frame_of_a_client_in_the_field_goes_the_quick_way():
    text = json.dumps(
        {
            "id": "c1",
            "method": "order.place",
            "params": {"symbol": "BTCUSDT", "price": "1.0", "timestamp": 1_700_000_000_000},
        }
    )
    request = _parse_plain(text)
    assert request is not None
    assert request.values == {"symbol": "BTCUSDT", "price": "1.0", "timestamp": "1700000000000"}
