"""Lines for a person: broken at words where the terminal ends, left alone where a program reads them."""

import shutil
import textwrap
from typing import TextIO

WIDEST = 110  # columns that are still read with ease


def fitted(line: str, stream: TextIO, *, hang: int = 2) -> str:
    """`line` broken for the terminal behind `stream`; what follows is indented as it is, and `hang` more."""
    if not stream.isatty():
        return line
    width = min(WIDEST, shutil.get_terminal_size().columns)
    indent = " " * (len(line) - len(line.lstrip()) + hang)
    return "\n".join(
        textwrap.wrap(
            line, width, subsequent_indent=indent, drop_whitespace=True, break_long_words=False, break_on_hyphens=False,
            replace_whitespace=False,
        )
    ) or line  # fmt: skip
