"""The cost ledger: sums worked by hand, and folders as a killed process leaves them."""

import sys
from types import SimpleNamespace

import pytest

from sanmai.instruments.cost import (
    Cost,
    Model,
    Target,
    cost_of,
    cost_to_reach,
    open_seconds,
    quality_per_cost,
    read_ledger,
    training_part,
)
from sanmai.instruments.energy import EnergyMeter
from sanmai.stats import Difference
from sanmai.types import InputError


def step(number: int, clock: str = "", **facts) -> dict:
    time = {"time": f"2026-11-20T13:{clock}Z"} if clock else {}
    return {"event": "step", "step": number, **time, **facts}


def test_recorded_operations_are_taken_and_others_estimated():
    # N = 10. Step 1 is recorded. Step 2: 2 N (5 + 20) = 500, 6 N x 20 = 1200; auxiliary SFT 6 N x 3 = 180; probe 2 N x 4 = 80.
    events = [
        step(1, seconds={"sampling": 2.0, "training": 1.0}, tokens={"prompt": 5, "sampled": 20, "trained": 20},
             flops={"sampling": 7000.0, "training": 9000.0}),
        step(2, seconds={"sampling": 3.0}, tokens={"prompt": 5, "sampled": 20, "trained": 20, "auxiliary_sft": 3, "probe": 4}),
    ]  # fmt: skip
    found = cost_of("run", events, model=Model(10, 10), drawn={"evaluation": 6})
    assert found.flops == {"sampling": 7500.0, "training": 10200.0, "auxiliary_sft": 180.0, "probing": 80.0, "evaluation": 120.0}
    assert found.estimated == {"sampling", "training", "auxiliary_sft", "probing", "evaluation"} and not found.uncounted
    assert found.tokens == {"prompt": 10, "sampled": 40, "trained": 40, "auxiliary_sft": 3, "probe": 4, "evaluation": 6}
    assert found.seconds == {"sampling": 5.0, "training": 1.0} and found.num_steps == 2 and found.hours == 6 / 3600
    assert training_part(found).flops == {name: value for name, value in found.flops.items() if name != "evaluation"}


def test_lora_trains_few_weights_and_a_model_of_unknown_size_is_said_to_be_uncounted():
    assert Model(100, 10).flops("trained", 1) == 420 and Model(100, 100).flops("trained", 1) == 600
    found = cost_of("run", [step(1, tokens={"sampled": 20, "trained": 0})])
    assert found.uncounted == {"sampled"} and found.flops == {}


def test_tokens_come_from_the_metrics_where_the_events_count_none():
    found = cost_of("run", [step(1, seconds={"training": 1.0})], [{"step": 1, "tokens/trained": 30.0}], Model(1, 1))
    assert found.tokens == {"trained": 30.0} and found.flops == {"training": 180.0}


def test_paid_time_leaves_pauses_out_and_counts_repeated_steps():
    events = [{"event": "start", "time": "2026-11-20T13:00:00Z"}, step(1, "01:00"), step(2, "02:00"),
              {"event": "resume", "time": "2026-11-20T13:30:00Z"}, step(2, "31:00"), {"event": "finish"}]  # fmt: skip
    assert open_seconds(events) == 180.0 and open_seconds([step(1)]) is None
    found = cost_of("run", events)
    assert found.num_steps == 3 and found.hours == 0.05 and found.money(2.0) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="price_per_hour = -1"):
        found.money(-1)


def test_wasted_rollouts_are_means_over_training_steps():
    lines = [{"step": 0, "eval/accuracy": 0.3}, {"step": 1, "rollout/zero_signal_groups": 0.5, "rollout/truncated": 0.0},
             {"step": 2, "rollout/zero_signal_groups": 0.25, "rollout/truncated": 0.1}]  # fmt: skip
    wasted = cost_of("run", [], lines).wasted
    assert (wasted.zero_signal_groups, wasted.truncated, wasted.failed, wasted.num_steps) == (0.375, 0.05, None, 2)


def test_quality_per_cost_is_the_change_over_hours_and_operations():
    spent = Cost("", seconds={"training": 1800.0}, flops={"training": 4e12})
    found = quality_per_cost(Difference(0.2, 0.1, 0.3, 50), spent)
    assert found.per_hour == Difference(0.4, 0.2, 0.6, 50)
    assert found.per_tera == Difference(0.05, 0.025, pytest.approx(0.075), 50)
    assert quality_per_cost(Difference(0.2, 0.1, 0.3, 50), Cost("")).per_hour is None


def test_the_cost_to_reach_is_what_had_been_spent_when_all_targets_first_held():
    events = [step(k, seconds={"training": 1.0, "evaluation": 5.0}, tokens={"trained": 10}) for k in (1, 2, 2, 3)]
    lines = [{"step": 0, "eval/accuracy": 0.1, "harm": 0.0}, {"step": 1, "eval/accuracy": 0.9, "harm": 0.5}, {"step": 2},
             {"step": 3, "eval/accuracy": 0.8, "harm": 0.05}]  # fmt: skip
    both = [Target.read("eval/accuracy>=0.8"), Target.read(" harm <= 0.1 ")]
    found = cost_to_reach(both, events, lines, Model(1, 1))
    assert found and found.step == 3 and found.cost.seconds == {"training": 4.0} and found.cost.flops == {"training": 240.0}
    assert (first := cost_to_reach(both[:1], events, lines)) and first.step == 1 and first.cost.seconds == {"training": 1.0}
    assert (none := cost_to_reach([Target.read("harm<=0")], events, lines)) and none.step == 0 and none.cost.tokens == {}
    assert cost_to_reach([Target.read("eval/accuracy>=0.99")], events, lines) is None
    with pytest.raises(InputError, match="eval/acuracy: no such metric"):
        cost_to_reach([Target.read("eval/acuracy>=0.5")], events, lines)


@pytest.mark.parametrize("text", ["eval/accuracy", "eval/accuracy=0.8", ">=0.8", "eval/accuracy>=much", ""])
def test_a_target_that_is_none_is_one_clear_sentence(text):
    with pytest.raises(InputError, match="expected a metric and a bound"):
        Target.read(text)


def test_a_folder_that_has_just_begun_or_was_torn_is_read_as_far_as_it_goes(tmp_path):
    (tmp_path / "config.toml").write_text('recipe = "zero"\n')
    assert read_ledger(tmp_path).total.hours == 0.0
    (tmp_path / "events.jsonl").write_text('{"event": "step", "step": 1, "seconds": {"training": 2.0}}\n{"event": "st')
    (tmp_path / "environment.json").write_text("[]")
    found = read_ledger(tmp_path).total
    assert found.seconds == {"training": 2.0} and found.unreadable == 1


def test_what_is_no_run_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match="not a run folder"):
        read_ledger(tmp_path)
    for graph in ("{", '[{"name": "a"}]', '[{"name": "a", "recipe": "sft", "folder": "../other"}]'):
        (tmp_path / "graph.json").write_text(graph)
        with pytest.raises(InputError, match=r"graph\.json: (cannot be read|stage a has the folder)"):
            read_ledger(tmp_path)
    (tmp_path / "graph.json").unlink()
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "evaluations" / "step-000000.parquet").write_text("no")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_ledger(tmp_path)


def zone(folder, name: str, microjoules: int, span: int = 1_000_000_000) -> None:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{microjoules}\n")
    (folder / name / "max_energy_range_uj").write_text(f"{span}\n")


def test_energy_is_read_per_package_and_a_counter_may_go_around(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert EnergyMeter(tmp_path).joules() == {}
    zone(tmp_path, "intel-rapl:0", 990_000_000)
    zone(tmp_path, "intel-rapl:0:1", 5)
    zone(tmp_path, "intel-rapl:1", 1_000_000)
    (tmp_path / "intel-rapl:2").mkdir()
    meter = EnergyMeter(tmp_path)
    zone(tmp_path, "intel-rapl:0", 20_000_000)
    zone(tmp_path, "intel-rapl:1", 4_500_000)
    assert meter.joules() == {"package-0": pytest.approx(30.0), "package-1": pytest.approx(3.5)}
    assert meter.joules() == {"package-0": 0.0, "package-1": 0.0}


def test_energy_of_devices_comes_from_nvml_where_it_can_be_imported(tmp_path, monkeypatch):
    class NVMLError(Exception):
        pass

    used = iter([1_000, 3_500])
    fake = SimpleNamespace(
        NVMLError=NVMLError, nvmlInit=lambda: None, nvmlDeviceGetCount=lambda: 1, nvmlDeviceGetHandleByIndex=lambda k: k,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(used),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert EnergyMeter(tmp_path).joules() == {"gpu-0": 2.5}

    def fails():
        raise NVMLError

    fake.nvmlInit = fails
    assert EnergyMeter(tmp_path).joules() == {}
