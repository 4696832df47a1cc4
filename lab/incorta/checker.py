"""Which of the workload's commits a restored site has, by metadata *and* Parquet, and whether it has any of them half.

The workload's own log, outside of both sites, is the truth. A restored site may have lost commits, but only the last
ones, and each commit is there with all its tables or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.incorta.consistency import file_problems, one_view
from lab.incorta.database import Session
from lab.incorta.live import LiveTable, live_tables, table_files
from lab.incorta.parquet import commits_in
from lab.workload.commit_log import CommitLog


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a restored site has of the primary's commits.

    :param commits_primary: counters that the workload reported, in order.
    :param commits_restored: counters that are whole at the restored site, in order.
    :param commits_half: counters of which the site has a part.
    :param lost: reported, and not whole at the restored site.
    :param problems: what is wrong, in words; empty when everything up to some commit is there and nothing is half.
    """

    commits_primary: tuple[int, ...]
    commits_restored: tuple[int, ...]
    commits_half: tuple[int, ...]
    lost: tuple[int, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestoredCommits:
    """What the metadata of the restored site say.

    :param tables: the tables of each commit, by full name.
    :param faults: commits that are not whole, each with the reason.
    """

    tables: Mapping[int, Collection[str]]
    faults: Mapping[int, list[str]]


def check(db: Session, storage_root: Path, workload_log: Path) -> Verdict:
    """Compare a restored site with the workload's log.

    :param db: a session at the restored metadata schema.
    :param storage_root: the restored shared storage, ``Tenants``.
    :param workload_log: the folder with ``commits.jsonl``.
    """
    reported = {record.counter: frozenset(record.tables) for record in CommitLog(workload_log).commits()}
    with one_view(db):
        restored = _restored(db, storage_root)
    return verdict(reported, restored)


def verdict(reported: Mapping[int, Collection[str]], restored: RestoredCommits) -> Verdict:
    """Judge; pure.

    :param reported: the tables of each commit that the workload reported.
    """
    faults = {counter: list(reasons) for counter, reasons in restored.faults.items()}
    for counter in sorted(reported.keys() & restored.tables.keys()):
        absent = set(reported[counter]) - set(restored.tables[counter])
        if absent:
            faults.setdefault(counter, []).append(f"has no {', '.join(sorted(absent))}")
    whole = sorted(restored.tables.keys() - faults.keys())
    lost = sorted(reported.keys() - set(whole))
    problems = [f"commit {counter} is half: {reason}" for counter in sorted(faults) for reason in faults[counter]]
    return Verdict(
        commits_primary=tuple(sorted(reported)),
        commits_restored=tuple(whole),
        commits_half=tuple(sorted(faults)),
        lost=tuple(lost),
        problems=(*problems, *_order_problems(reported, whole, lost)),
    )


def _order_problems(reported: Collection[int], whole: list[int], lost: list[int]) -> Iterator[str]:
    """Yield what contradicts "everything up to some commit": a gap, or a commit that nobody reported.

    One commit beyond the last reported one is right: the site may have died between the COMMIT and the report.
    """
    newest = whole[-1] if whole else 0
    for counter in lost:
        if counter < newest:
            yield f"commit {counter} is missing while the later commit {newest} is there"
    for counter in whole:
        if counter not in reported and (counter != newest or counter < max(reported, default=0)):
            yield f"commit {counter} was never reported by the workload"


def _restored(db: Session, storage_root: Path) -> RestoredCommits:
    tables, faults = _commits(db)
    newest: dict[str, int] = {}
    for counter in sorted(tables):
        newest.update(dict.fromkeys(tables[counter], counter))
    live = {table.full_name: table for table in live_tables(db)}
    for full_name, counter in newest.items():
        table = live.get(full_name)
        if table is None or table.version != counter:
            found = "nothing" if table is None else f"version {table.version}"
            faults[counter].append(f"{full_name} has {found} live")
        else:
            faults[counter] += _file_faults(db, storage_root, table)
    return RestoredCommits(tables, {counter: reasons for counter, reasons in faults.items() if reasons})


def _commits(db: Session) -> tuple[dict[int, set[str]], defaultdict[int, list[str]]]:
    """Return the tables of each commit, and what is wrong with commits in the metadata alone."""
    tables: dict[int, set[str]] = {}
    faults: defaultdict[int, list[str]] = defaultdict(list)
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT C.COUNTER, C.TABLE_COUNT, T.FULL_NAME FROM LOAD_COMMIT C "
            "LEFT JOIN LOAD_COMMIT_TABLE L ON L.COUNTER = C.COUNTER LEFT JOIN SCHEMA_TABLE T ON T.ID = L.TABLE_ID"
        )
        rows = cursor.fetchall()
    expected = {counter: count for counter, count, _ in rows}
    for counter, _, full_name in rows:
        tables.setdefault(counter, set()).update([full_name] if full_name else [])
    for counter, count in expected.items():
        if len(tables[counter]) != count:
            faults[counter].append(f"{len(tables[counter])} of {count} tables are in the metadata")
    return tables, faults


def _file_faults(db: Session, storage_root: Path, table: LiveTable) -> Iterator[str]:
    """Yield what is wrong with the files of a live version: digests, and the commit in the Parquet rows."""
    records = table_files(db, table)
    if not records:
        yield f"{table.full_name} has no file in the metadata"
    wrong = list(file_problems(records, storage_root))
    yield from wrong
    if wrong:
        return
    for record in records:
        try:
            found = commits_in(storage_root / record.path)
        except OSError as error:
            yield f"{record.path} is no whole Parquet file: {error}"
            continue
        if found != {table.version}:
            yield f"{record.path} holds rows of commit {', '.join(map(str, sorted(found)))}"
