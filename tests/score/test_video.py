"""Agreement of a reward model of clips with people, in the format of VideoGen-RewardBench."""

from __future__ import annotations

import json

import pytest
import torch
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.losses import fitted_threshold, tie_accuracy
from sanmai.score.video import score_video
from sanmai.types import InputError

HEAD = "path_A,path_B,A_model,B_model,prompt,fps_A,num_frames_A,fps_B,num_frames_B,VQ,MQ,TA,Overall"
PAIRS = [  # prompt, what people said of VQ, reward A and B
    ("a cat", "A", 2.0, 1.0), ("a cat", "same", 0.5, 0.25), ("a dog", "B", 0.0, 3.0), ("a dog", "same", 1.0, 1.25),
    ("a fox", "A", 0.0, 2.0), ("a fox", "", 9.0, 0.0),
]  # fmt: skip


def files_of(folder, pairs=PAIRS):
    lines, clips = [HEAD], ["path,reward_VQ,reward_MQ,reward_TA"]
    for k, (prompt, said, first, second) in enumerate(pairs):
        lines.append(f"v/{k}a.mp4,v/{k}b.mp4,m1,m2,{prompt},8,16,8,16,{said},,,{said}")
        clips += [f"v/{k}a.mp4,{first},1,1", f"v/{k}b.mp4,{second},1,1"]
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    (folder / "clips.csv").write_text("\n".join(clips) + "\n")
    return folder / "pairs.csv", folder / "clips.csv"


def test_agreement_with_and_without_ties_is_worked_by_hand(tmp_path):
    found = score_video(*files_of(tmp_path))
    visual = found["dimensions"]["VQ"]
    # Told apart by people: cat right, dog right, fox wrong. Gaps: 1, 0.25 (tie), -3, -0.25 (tie), -2 (A was better).
    assert (found["pairs"], found["clips"], visual["n"], visual["invalid"], visual["ties"]) == (6, 12, 5, 1, 2)
    assert visual["without_ties"]["value"] == pytest.approx(2 / 3)
    # The best threshold on all, 0.25, has both ties, cat and dog right: 4 of 5. It is the smallest of those.
    assert visual["with_ties_best"]["value"] == pytest.approx(0.8) and visual["threshold_best"] == 0.25
    # Halves: cat and fox; dog. Of dog (gaps -3, -0.25) the best is 0.25: cat 1 and its tie right, fox wrong, 2 of 3. Of cat and
    # fox (1, 0.25, -2) it is 0.25 as well: both of dog right. Together 4 of 5.
    assert visual["with_ties"]["value"] == pytest.approx(0.8) and visual["thresholds"] == [0.25, 0.25]
    # Overall has no score of its own: the sum of the three, whose other parts are equal.
    assert found["dimensions"]["Overall"]["with_ties_best"] == visual["with_ties_best"]
    assert "MQ" not in found["dimensions"]


def test_scores_may_stand_in_the_pairs_and_the_command_prints_the_table(tmp_path):
    rows = [{"path_A": "a", "path_B": "b", "prompt": "p", "TA": "A", "reward_TA_A": 1.0, "reward_TA_B": 0.5}]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner().invoke(app, ["score", str(tmp_path / "pairs.jsonl"), "--as", "video"])
    assert done.exit_code == 0
    found = json.loads(done.output)
    assert found["dimensions"]["TA"]["without_ties"]["value"] == 1.0 and found["dimensions"]["TA"]["with_ties"] is None


@pytest.mark.parametrize(("changed", "said"), [
    ({"path_A": ""}, "no path_A"), ({"reward_TA_A": "x"}, "reward_TA_A = 'x'; expected a number"),
    ({"TA": "both"}, "no pair is judged"),
])  # fmt: skip
def test_what_cannot_be_read_is_said_with_its_place(changed, said, tmp_path):
    row = {"path_A": "a", "path_B": "b", "prompt": "p", "TA": "A", "reward_TA_A": 1.0, "reward_TA_B": 0.5, **changed}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=said):
        score_video(tmp_path / "pairs.jsonl")


def test_a_clip_without_scores_is_named(tmp_path):
    pairs, clips = files_of(tmp_path)
    clips.write_text("\n".join(line for line in clips.read_text().splitlines() if "2b" not in line))
    with pytest.raises(InputError, match=r"pair 3: path_B 'v/2b.mp4' has no row"):
        score_video(pairs, clips)


def test_the_threshold_is_the_smallest_of_the_best_as_trying_all_finds():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        gap_B = torch.randint(-4, 5, (12,), generator=generator) / 2
        label_B = torch.randint(-1, 2, (12,), generator=generator)
        tried = [0.0, *gap_B.abs().sort().values.tolist()]
        best = max(tried, key=lambda t: (tie_accuracy(gap_B, label_B, t), -t))
        assert fitted_threshold(gap_B, label_B) == best
