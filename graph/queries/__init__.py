"""The query texts: one Cypher file a query, each with a header that is checked against its text.

A file ``NAME.cypher`` in this folder begins with comment lines and holds one statement::

    // Buyers with these ids.
    // parameters: ids
    // returns: id, name
    MATCH (b:Buyer) WHERE b.id IN $ids
    RETURN b.id AS id, b.name AS name

The first lines say what the query does. ``parameters`` names every ``$parameter`` and ``returns``
every column of the last RETURN, in its order; ``none`` stands for neither. A list that is too
long for a line goes on in the next ``//`` line. A ``!`` behind a column says that whatever is in
the graph has it: a row without it tells of something that was deleted while it was read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from core.errors import OfferpathError

_PARAMETER = re.compile(r"\$(\w+)")
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|//[^\n]*")
_RETURN = re.compile(r"\bRETURN\b(?:\s+DISTINCT\b)?", re.IGNORECASE)
_TAIL = re.compile(r"\b(?:ORDER\s+BY|SKIP|LIMIT)\b", re.IGNORECASE)
_ALIAS = re.compile(r"(?:\bAS\s+|^)`?(\w+)`?$", re.IGNORECASE)


class QueryTextError(OfferpathError):
    """A query file is missing, or its header and its text disagree."""

    code = "QUERY_TEXT"


class QueryFailedError(OfferpathError):
    """The engine refused a query; the message names it and says what the engine said."""


@dataclass(frozen=True, slots=True)
class Query:
    """One Cypher statement that runs on both engines.

    ``parameters`` are the names it needs; ``returns`` the columns of its rows in order, empty for
    a statement without RETURN; ``never_null`` those of them that whatever is in the graph has.
    """

    name: str
    text: str
    parameters: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    never_null: tuple[str, ...] = ()


@cache
def load_query(name: str) -> Query:
    """The query of graph/queries/``name``.cypher.

    Raises:
        QueryTextError: when there is no such file, or its header and its text disagree.
    """
    path = files(__name__).joinpath(f"{name}.cypher")
    if not path.is_file():
        raise QueryTextError(f"There is no query {name!r} in graph/queries.")
    return parse_query(name, path.read_text(encoding="utf-8"))


def parse_query(name: str, source: str) -> Query:
    """Read a query from the text of its file.

    Raises:
        QueryTextError: naming what header and text disagree on.
    """
    lines = source.strip().splitlines()
    size = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
    purpose, parameters, marked = _header(name, lines[:size])
    returns = tuple(column.removesuffix("!") for column in marked)
    text = "\n".join(lines[size:]).strip().removesuffix(";")
    code = _LITERAL.sub("''", text)
    found = set(_PARAMETER.findall(code))
    if not purpose or not text:
        raise QueryTextError(f"Query {name}: it needs a line that says what it does, and a text.")
    if set(parameters) != found:
        raise QueryTextError(
            f"Query {name}: the header names the parameters {sorted(parameters)}, "
            f"the text uses {sorted(found)}."
        )
    columns = _returned(name, code)
    if returns != columns:
        raise QueryTextError(
            f"Query {name}: the header says it returns {list(returns)}, the text {list(columns)}."
        )
    never_null = tuple(column[:-1] for column in marked if column.endswith("!"))
    return Query(name, text, parameters, returns, never_null)


def split_return(query: Query) -> tuple[str, str, tuple[str, ...]]:
    """The text before the last RETURN, the text after it, and the names of its columns.

    Raises:
        QueryTextError: when nothing is returned, or a column has no name.
    """
    # Literals are blanked, not cut, so that places in both texts are the same.
    code = _LITERAL.sub(lambda match: " " * len(match.group()), query.text)
    starts = [match.start() for match in _RETURN.finditer(code)]
    if not starts:
        raise QueryTextError(f"Query {query.name}: it returns nothing.")
    after = starts[-1] + len("RETURN")
    return query.text[: starts[-1]], query.text[after:].lstrip(), _returned(query.name, code)


def _header(name: str, lines: list[str]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    sections = {"": "", "parameters": "", "returns": ""}
    section = ""
    seen: set[str] = set()
    for line in lines:
        content = line.removeprefix("//").strip()
        word, colon, rest = content.partition(":")
        if colon and word in ("parameters", "returns"):
            section, content = word, rest
            seen.add(word)
        sections[section] += f" {content}"
    for needed in ("parameters", "returns"):
        if needed not in seen:
            raise QueryTextError(f"Query {name}: the header has no line '// {needed}: ...'.")
    return sections[""].strip(), _names(sections["parameters"]), _names(sections["returns"])


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    return () if names == ("none",) else names


def _returned(name: str, code: str) -> tuple[str, ...]:
    starts = list(_RETURN.finditer(code))
    if not starts:
        return ()
    tail = code[starts[-1].end() :]
    cut = _TAIL.search(tail)
    columns = []
    for expression in _split(tail[: cut.start()] if cut else tail):
        alias = _ALIAS.search(expression)
        if alias is None:
            raise QueryTextError(f"Query {name}: give {expression!r} a name with AS.")
        columns.append(alias.group(1))
    return tuple(columns)


def _split(text: str) -> list[str]:
    """Split a projection at its top-level commas."""
    parts = [""]
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
