"""A run's own rollouts as recorded responses."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sanmai.api.verbs import score
from sanmai.types import InputError


def test_rollouts_of_a_run_are_graded_as_responses_of_any_model_and_a_run_folder_names_them(tmp_path):
    rows = [
        {"problem_id": "p", "sample": k, "prompt": "1 + 1 ?", "answer": "2", "language": "en", "text": text, "stop_reason": stop}
        for k, (text, stop) in enumerate([("2", "stop"), ("3", "stop"), ("I think it", "length")])
    ]
    (tmp_path / "run" / "evaluations").mkdir(parents=True)
    file = tmp_path / "run" / "evaluations" / "step-000007.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file)
    found = score(file)
    assert [(row["id"], row["label"]) for row in found["rows"]] == [("p#0", "correct"), ("p#1", "wrong"), ("p#2", "incomplete")]
    (tmp_path / "run" / "config.toml").write_text('recipe = "zero"\n')
    with pytest.raises(InputError, match=r"is a run folder; expected a file, such as .*step-000007\.parquet"):
        score(tmp_path / "run")
