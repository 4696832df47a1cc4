"""Which tables a job loads: at least two, the same for the same counter and seed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.workload.dataset import SCHEMAS
from lab.workload.plan import FEWEST, MOST, next_job

TABLES = [f"{schema}.{name}" for schema, names in SCHEMAS.items() for name in names]


@given(counter=st.integers(1, 10_000), seed=st.integers(0, 1000))
def test_a_job_has_two_to_four_tables_and_is_the_same_again(counter: int, seed: int) -> None:
    job = next_job(counter, TABLES, loaded=TABLES, seed=seed)
    assert FEWEST <= len(job.tables) <= MOST
    assert len(set(job.tables)) == len(job.tables)
    assert set(job.tables) <= set(TABLES)
    assert next_job(counter, TABLES, loaded=TABLES, seed=seed) == job


@given(st.sets(st.sampled_from(TABLES), max_size=len(TABLES) - 1))
def test_while_a_table_was_never_loaded_all_are(loaded: set[str]) -> None:
    assert next_job(1, TABLES, loaded=loaded, seed=0).tables == tuple(TABLES)


def test_every_table_gets_its_turn() -> None:
    seen = {name for counter in range(1, 20) for name in next_job(counter, TABLES, loaded=TABLES, seed=13).tables}
    assert seen == set(TABLES)
