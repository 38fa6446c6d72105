"""What takes secrets out of text: literally where a venue may echo them, by name and digest everywhere else."""

import base64
import json
import pickle
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.redaction import REDACTED, SECRET_NAME, Echoes, Scrubber

KEY = "k9QmCANARY0123456789abcdefGHIJKLMNOPqrstuvwxyz"
SECRET = "s+/Canary/98765+43210/ABCDEFghij=="
PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIDf3c0oSqz1Qk0HgVd5iQ1xJbJpQd9kD8u8uQdXb2y3A\n"
    "-----END PRIVATE KEY-----\n"
)
ENCODED = {
    "bare": lambda text: text,
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "hex": lambda text: text.encode().hex(),
    "hex in capitals": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "JSON": json.dumps,
    "JSON with escaped slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "JSON escapes": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
}
ONLY_LITERALLY = {
    "base64 of more": lambda text: base64.b64encode(f"key={text}&more".encode()).decode(),
    "base64 of more, one further": lambda text: base64.b64encode(f"ke={text}&more".encode()).decode(),
    "base64 of more, two further": lambda text: base64.b64encode(f"k={text}&more".encode()).decode(),
    "glued to letters": lambda text: f"xx{text}yy",
    "in other capitals": lambda text: text.swapcase(),
    "split by what no screen shows": lambda text: f"{text[:9]}\u200b{text[9:12]}\x00{text[12:]}",
}


@pytest.mark.parametrize("secret", [KEY, SECRET], ids=["key", "secret"])
@pytest.mark.parametrize("form", [*ENCODED, *ONLY_LITERALLY])
def test_F81_an_echo_is_taken_out_in_every_form(form: str, secret: str) -> None:
    encoded = (ENCODED | ONLY_LITERALLY)[form](secret)
    shown = Echoes((KEY, SECRET)).scrub(f"the venue said {encoded} and more")
    assert REDACTED in shown
    assert secret[4:20].lower() not in shown.lower()
    assert encoded[6:26] not in shown


@pytest.mark.parametrize("secret", [KEY, SECRET, PEM], ids=["key", "secret", "pem"])
@pytest.mark.parametrize("form", ENCODED)
def test_F81_a_digest_recognises_a_secret_in_every_form_that_stands_alone(form: str, secret: str) -> None:
    scrubber = Scrubber()
    scrubber.learn(secret)
    encoded = ENCODED[form](secret)
    shown = scrubber.scrub(f"said: {encoded}; more")
    assert REDACTED in shown
    body = secret.split("\n")[1] if "\n" in secret else secret
    for start in range(0, len(body) - 16, 8):
        assert body[start : start + 16] not in shown


def test_F81_names_and_values_of_a_decoded_answer_are_scrubbed_and_the_rest_is_as_it_was() -> None:
    answer = {"a": [1, None, True, f"x {KEY}"], KEY: {"b": SECRET}, "short": "0.1", "long": "a sentence of no interest"}
    assert Echoes((KEY, SECRET)).scrub_all(answer) == {
        "a": [1, None, True, f"x {REDACTED}"],
        REDACTED: {"b": REDACTED},
        "short": "0.1",
        "long": "a sentence of no interest",
    }


def test_a_feed_without_a_key_has_nothing_to_hide() -> None:
    answer = {"a": [f"x\x1b {KEY}"]}
    assert Echoes(()).scrub_all(answer) is answer


def test_a_short_passphrase_is_not_looked_for_in_numbers() -> None:
    """`1234` as a venue's passphrase must not change a price."""
    assert Echoes(("1234",)).scrub("61234.50000000") == "61234.50000000"


def test_neither_shows_what_it_knows() -> None:
    scrubber, echoes = Scrubber(), Echoes((KEY,))
    scrubber.learn(KEY)
    assert KEY not in repr(echoes) + repr(scrubber) + str(vars(scrubber))
    assert KEY.encode() not in pickle.dumps(vars(scrubber)["_digests"])


@pytest.mark.parametrize(
    "text",
    [
        'header {"Authorization": "Basic QUJDREVGRzpISUpLTE1O"}',
        "Proxy-Authorization: Basic QUJDREVGRzpISUpLTE1O",
        "authorization=Bearer QUJDREVGRzpISUpLTE1O",
        '{\\"apiKey\\": \\"QUJDREVGRzpISUpLTE1O\\"}',
        "private_key=QUJDREVGRzpISUpLTE1O",
        "http://user:QUJDREVGRzpISUpLTE1O@10.0.0.1:3128",
        "socks5h://QUJDREVGRzpISUpLTE1O@proxy",
        "-----BEGIN EC PRIVATE KEY-----\nQUJDREVGRzpISUpLTE1O\n-----END EC PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\\nQUJDREVGRzpISUpLTE1O",
    ],
)
def test_F81_a_secret_nobody_told_of_is_known_by_what_stands_before_it(text: str) -> None:
    shown = Scrubber().scrub(text)
    assert "QUJDREVGRzpISUpLTE1O" not in shown
    assert REDACTED in shown


def test_words_about_secrets_are_no_secrets() -> None:
    text = "the secret of acme is missing; signature refused; a basic connection to the venue"
    assert Scrubber().scrub(text) == text
    assert SECRET_NAME.search("passphrase_file")
    assert not SECRET_NAME.search("account")


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(sorted(ENCODED | ONLY_LITERALLY)))
@settings(max_examples=200, deadline=None)
def test_F81_no_text_around_it_saves_an_echo(before: str, after: str, form: str) -> None:
    shown = Echoes((KEY,)).scrub(before + (ENCODED | ONLY_LITERALLY)[form](KEY) + after)
    assert KEY[6:22].lower() not in shown.lower()
    assert Echoes((KEY,)).scrub(shown) == shown
