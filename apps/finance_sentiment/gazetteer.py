"""The companies that texts are searched for: a shipped list, and the desk's own beside it or over it.

Knows names, tickers and files; finds nothing in texts (`entities` does). A list is a CSV with these columns, of which
a desk needs only `id` and `name`; lists inside a cell are parted by a bar:

id             market and ticker: US:AAPL, HK:0700, CN:600519. A company incorporated on the mainland stands under CN,
               any other under its first listing; the other listings are `tickers`, so one company is one entity
name           English name without its legal form; `name_zh` the Chinese one (either script)
tickers        further listings, and earlier tickers
aliases        whatever else it is called: short names, brands that are it to its readers, Chinese short names
needs_context  those of the names that are also a word, place or person: they count only where the text speaks of a
               company. "~Apple" is mostly the company and needs less; one in small letters ("intel") bars only that
               spelling; a ticker ("COST") bars it without its $
context        words that speak for the company near such a name; with a "-" before it, against it
exclude        phrases that hold a name and mean something else: "apple pie", "price target", 小米粥

Rows of a desk whose id is known fill in what they give: `name` and `name_zh` replace, lists are added to, and "!x" in
a list takes x away. A file with the columns `ticker,name` is read too: legal forms are cut off, and a name of a single
word needs context, for nobody has looked at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from apps.finance_sentiment.exchanges import ticker_of
from core.errors import InputError, UnknownColumn
from core.text.clean import collapse, normalise
from core.text.parse import Limits, Problem, read_bytes
from core.text.parse.decode import decode
from core.text.table import Row, Table, read_csv

SHIPPED = Path(__file__).parent / "samples" / "companies.csv"
LISTS = ("tickers", "aliases", "needs_context", "context", "exclude")
LONGEST = 80
"""Characters a name, context word or phrase may have."""

_LEGAL = re.compile(
    r"[\s,]+(?:inc|incorporated|corp|corporation|co|company|ltd|limited|plc|llc|l\.?p|n\.?v|s\.?a|s\.?e|a\.?g|ab|asa|oyj|"
    r"s\.?p\.?a|holdings?|\(the\)|class [a-c]|common stock|ordinary shares|american depositary shares)\.?$"
    r"|\s+-\s.*\b(?:stock|shares?|units?|warrants?|rights?|notes|fund)$",
    re.I,
)
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Company:
    """An entity of the gazetteer."""

    id: str
    """Market and ticker, as in "US:AAPL"."""
    name: str
    name_zh: str = ""
    tickers: tuple[str, ...] = ()
    """All listings as "MARKET:CODE", the one of the id first."""
    aliases: tuple[str, ...] = ()
    needs_context: tuple[str, ...] = ()
    """Names, or codes of tickers, that count only where the text speaks of a company; "~" before one: needs less."""
    context: tuple[str, ...] = ()
    """Words that speak for it near such a name; after a "-", against it."""
    exclude: tuple[str, ...] = ()
    """Phrases that hold one of the names and mean something else."""

    @property
    def names(self) -> tuple[str, ...]:
        """All it is called, without repetition."""
        return tuple(dict.fromkeys(name for name in (self.name, self.name_zh, *self.aliases) if name))

    def title(self, language: str = "en") -> str:
        """The name to show to a reader of that language."""
        return self.name_zh or self.name if language == "zh" else self.name or self.name_zh


class Gazetteer:
    """Companies by id and by ticker. Never changes once made, so threads may share it."""

    def __init__(self, companies: Iterable[Company] = ()) -> None:
        """:raises InputError: if two companies have one id or one ticker."""
        self.companies = tuple(companies)
        self._by_id: dict[str, Company] = {}
        self._by_ticker: dict[str, Company] = {}
        for company in self.companies:
            if company.id in self._by_id:
                raise InputError(f"The company {company.id} is given twice. Keep one row for each id.")
            self._by_id[company.id] = company
            for ticker in company.tickers:
                other = self._by_ticker.setdefault(ticker, company)
                if other is not company:
                    raise InputError(f"{company.id} and {other.id} both have the ticker {ticker}. Take it from one.")

    def __len__(self) -> int:
        return len(self.companies)

    def __iter__(self) -> Iterator[Company]:
        return iter(self.companies)

    def __contains__(self, id: object) -> bool:
        return id in self._by_id

    def get(self, id: str) -> Company | None:
        """The company of an id, if there is one."""
        return self._by_id.get(id)

    def by_ticker(self, ticker: str) -> Company | None:
        """The company of a listing, as in "HK:9988"."""
        return self._by_ticker.get(ticker)

    def title(self, id: str, language: str = "en") -> str:
        """The name to show for an id; the id itself where it is not known."""
        company = self._by_id.get(id)
        return company.title(language) if company else id


class Loaded(NamedTuple):
    """Companies, and the rows that did not become one."""

    gazetteer: Gazetteer
    problems: tuple[Problem, ...] = ()


@cache
def shipped() -> Gazetteer:
    """The list that comes with the program; read once, at the first call."""
    return load_gazetteer([SHIPPED], base=Gazetteer(), strict=True).gazetteer


def load_gazetteer(
    paths: Sequence[Path | str] = (), *, base: Gazetteer | None = None, market: str = "US", strict: bool = False
) -> Loaded:
    """The shipped companies with those of the desk's files, in the order of the files.

    Any encoding a text file may have (UTF-8 with or without mark, GB18030, Big5...) and any delimiter. A wrong row is
    reported with its line and left out; the rest goes in.

    :param base: what the files add to; None takes the shipped list.
    :param market: where the tickers of a `ticker,name` file are listed, if they do not say.
    :raises UnreadableDocument: if a file is missing, empty or binary.
    :raises UnknownColumn: if a file has neither `id` and `name` nor `ticker` and `name`.
    :raises InputError: if strict and anything is wrong; the message names the first problems.
    """
    known = {company.id: company for company in (shipped() if base is None else base)}
    owners = {ticker: company.id for company in known.values() for ticker in company.tickers}
    problems: list[Problem] = []
    for path in map(Path, paths):
        table, read = _table(path, market)
        problems += [Problem(path.name, bad.line, bad.reason) for bad in table.bad]
        lines: dict[str, int] = {}
        for row in table.rows:
            try:
                key, company = read(row, known, owners)
                if lines.setdefault(key, row.line) != row.line:
                    raise InputError(f"{key} was given in line {lines[key]} already. Keep one row for each")
                _take(company, known, owners)
            except InputError as error:
                problems.append(Problem(path.name, row.line, str(error)))
    if strict and problems:
        shown = "; ".join(map(str, problems[:3]))
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise InputError(f"{shown}{more}. Nothing was taken in; mend the file, or read it without strict.")
    return Loaded(Gazetteer(known.values()), tuple(problems))


Read = Callable[[Row, Mapping[str, Company], Mapping[str, str]], tuple[str, Company]]
"""A row to what the file may give only once, and the company that comes of it."""


def _table(path: Path, market: str) -> tuple[Table, Read]:
    table = read_csv(decode(read_bytes(path, path.name, Limits()), path.name), path.name)
    columns = {column.strip().lower() for column in table.columns}
    if {"id", "name"} <= columns:
        return table, lambda row, known, owners: _company(row, known)
    if {"ticker", "name"} <= columns:
        return table, lambda row, known, owners: _listed(row, market, known, owners)
    has = ", ".join(table.columns)
    raise UnknownColumn(f"{path.name} has the columns {has}. A list of companies has id and name, or ticker and name.")


def _take(company: Company, known: dict[str, Company], owners: dict[str, str]) -> None:
    """Keep a company, unless a ticker is another's or a name is none."""
    for ticker in company.tickers:
        owner = owners.get(ticker, company.id)
        if owner != company.id:
            raise InputError(f"the ticker {ticker} is that of {owner}. Add names to the row {owner} instead")
    codes = (ticker.partition(":")[2] for ticker in company.tickers)
    names = {name.casefold() for name in (*company.names, *codes)}
    for name in company.needs_context:
        if name.removeprefix("~").casefold() not in names:
            raise InputError(f"needs_context has {name!r}, which is no name of {company.id}. Add it to aliases")
    for name in company.names:
        if len(name) < 2 or name.isdigit() or len(name) > LONGEST:
            raise InputError(f"{name[:60]!r} is no name: one has 2 to {LONGEST} characters, not all of them digits")
    known[company.id] = company
    owners.update(dict.fromkeys(company.tickers, company.id))


def _company(row: Row, known: Mapping[str, Company]) -> tuple[str, Company]:
    cells = {column.strip().lower(): collapse(normalise(str(cell))) for column, cell in row.cells.items() if column}
    if not cells.get("id"):
        raise InputError("the id is empty. Write market and ticker, as in US:AAPL")
    id = ticker_of(cells["id"])
    before = known.get(id) or Company(id, "", tickers=(id,))
    name, name_zh = cells.get("name") or before.name, cells.get("name_zh") or before.name_zh
    if not name:
        raise InputError(f"{id} has no name")
    tickers, aliases, needs_context, context, exclude = (
        _joined(getattr(before, column), cells.get(column, ""), column) for column in LISTS
    )
    return id, Company(id, name, name_zh, tickers, aliases, needs_context, context, exclude)


def _joined(before: tuple[str, ...], cell: str, column: str) -> tuple[str, ...]:
    """The known entries with those of a cell; "!x" takes x away."""
    found = dict.fromkeys(before)
    for entry in filter(None, map(str.strip, cell.split("|"))):
        plain = entry.removeprefix("!").strip()
        if column == "tickers":
            plain = ticker_of(plain)
        if len(plain) > LONGEST:
            raise InputError(f"{plain[:40]!r}... in {column} is longer than {LONGEST} characters. Part entries with |")
        if entry.startswith("!"):
            found.pop(plain, None)
        elif plain:
            found[plain] = None
    return tuple(found)


def _listed(row: Row, market: str, known: Mapping[str, Company], owners: Mapping[str, str]) -> tuple[str, Company]:
    """A company of a `ticker,name` row; of one that is known, the name is one more alias."""
    cells = {column.strip().lower(): collapse(normalise(str(cell))) for column, cell in row.cells.items() if column}
    code, full = cells.get("ticker", ""), cells.get("name", "")
    if not code or not full:
        raise InputError("ticker or name is empty")
    id = ticker_of(code if ":" in code else f"{market}:{code}")
    name = short_name(full)
    if id in owners:
        company = known[owners[id]]
        more = (name,) if len(name.split()) > 1 and name not in company.names else ()
        return id, replace(company, aliases=company.aliases + more)
    single = len(name.split()) == 1 and not _HAN.search(name)
    return id, Company(id, name, tickers=(id,), needs_context=(name if single else name.lower(),))


def short_name(full: str) -> str:
    """A registered name without its legal form.

    >>> short_name("American Airlines Group, Inc. - Common Stock")
    'American Airlines Group'
    """
    name = full.strip()
    while (cut := _LEGAL.sub("", name).rstrip(" ,.")) and cut != name and len(cut) > 2:
        name = cut
    return name
