"""`params.yaml`: what a person is told of a typo, a wrong type, an impossible combination."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from assay.errors import AssayError, ParamsError
from assay.lookup import all_tasks, find_system, find_task
from assay.params import check_params, read_all, read_params
from assay.params_check import all_sections, check_files
from assay.sections.machine import Runtime
from assay.sections.section import Section
from assay.value_faults import STUDIES, section_faults
from assay.values import declared_part, typed

ROOT = Path(__file__).parents[2]
TASK, DATA = "hemoglobin-conjunctiva", "hemoglobin.conjunctiva"


@pytest.fixture
def content() -> dict[str, Any]:
    names = {name: model for name, model in all_sections().items() if "toy" not in name}
    whole = copy.deepcopy(read_params(ROOT / "params.yaml"))
    check_params(whole, names)
    return whole


def told(content: dict[str, Any]) -> str:
    names = {name: model for name, model in all_sections().items() if "toy" not in name}
    with pytest.raises(ParamsError) as caught:
        check_params(content, names)
    return caught.value.render()


def test_a_misspelt_key_is_named_with_its_neighbour(content: dict[str, Any]) -> None:
    content[TASK]["train"]["epoch"] = content[TASK]["train"].pop("epochs")
    text = told(content)
    assert f"{TASK}.train.epoch: unknown key" in text
    assert f"did you mean {TASK}.train.epochs?" in text
    assert f"{TASK}.train.epochs: missing" in text


def test_a_dropped_key_is_told_with_its_reason(content: dict[str, Any]) -> None:
    """`radius`, of the hash that no longer proposes copies, may stand in a params.yaml of before."""
    content["hemoglobin"]["conjunctiva"]["similar"]["radius"] = 6
    text = told(content)
    assert "hemoglobin.conjunctiva.similar" in text
    assert "similar without `radius`" in text
    assert "delete the line" in text


def test_a_misspelt_section_is_named_with_its_neighbour(content: dict[str, Any]) -> None:
    content["hemoglobin-conjuctiva"] = content.pop(TASK)
    assert f"did you mean {TASK}?" in told(content)


def test_a_misspelt_part_is_named_with_its_neighbour(content: dict[str, Any]) -> None:
    content["hemoglobin"]["conjuctiva"] = {}
    assert f"did you mean {DATA}?" in told(content)


@pytest.mark.parametrize(
    ("section", "key", "value", "told_of"),
    [
        ("machine", "device", "gpu", "machine.device: found 'gpu'"),
        ("machine", "threads", 0, "greater than or equal to 1"),
        ("machine", "precision", "16-mixed", "precision 16-mixed needs device cuda"),
        ("machine", "devise", "cpu", "did you mean machine.device?"),
        ("runtime", "num_workers", "some", "runtime.num_workers"),
        ("runtime", "prefetch_factor", 0, "-S 'runtime.prefetch_factor=…'"),
        ("runtime", "checkpoint_each", 1, "runtime.checkpoint_each: unknown key"),
    ],
)
def test_a_fault_of_all_tasks_is_told_once(
    content: dict[str, Any], section: str, key: str, value: Any, told_of: str
) -> None:
    content[section][key] = value
    content[TASK]["train"]["epochs"] = "ten"
    text = told(content)
    assert told_of in text
    assert "train.device" not in text
    assert f"{TASK}.train.epochs" in text


def test_a_missing_machine_is_told_once(content: dict[str, Any]) -> None:
    content["machin"] = content.pop("machine")
    text = told(content)
    assert "machine: section missing; the file has machin" in text
    assert text.count("error:") == 2  # and `machin` is unknown


@pytest.mark.parametrize("own", [{"device": "cuda", "threads": None}, {}])
def test_a_task_goes_by_the_machine_but_for_what_it_names(
    content: dict[str, Any], own: dict[str, Any]
) -> None:
    content["machine"] |= {"precision": "bf16-mixed", "threads": 2}
    content[TASK]["train"] |= own
    train = typed(content, TASK, find_task(TASK).params).train
    assert (train.device, train.precision, train.threads) == (
        own.get("device", "cpu"), "bf16-mixed", 2,
    )  # fmt: skip
    content["machine"] |= {"device": "cuda", "precision": "16-mixed"}
    content[TASK]["train"]["device"] = "cpu"
    content["pills-detector"]["train"]["precision"] = "32-true"  # ultralytics has no other
    text = told(content)
    assert text.count("error:") == 1
    assert f"{TASK}.train: combination" in text


@pytest.mark.parametrize(
    ("part", "key", "value", "expected"),
    [
        ("train", "epochs", "ten", "valid integer"),
        ("train", "epochs", 0, "greater than or equal to 1"),
        ("train", "epochs", 1.5, "valid integer"),
        ("train", "device", "gpu", "'cpu' or 'cuda'"),
        ("train", "augment", ["flip"], "'hflip', 'vflip', 'crop' or 'tilt'"),
        ("model", "dropout", 1.0, "less than 1"),
    ],
)
def test_a_wrong_value_is_told_with_its_path(
    content: dict[str, Any], part: str, key: str, value: Any, expected: str
) -> None:
    content[TASK][part][key] = value
    text = told(content)
    assert f"-S '{TASK}.{part}.{key}" in text
    assert expected in text


@pytest.mark.parametrize(
    ("found", "kind"), [(0, "greater than or equal to 1"), ("two", "a valid integer")]
)
def test_a_value_of_several_kinds_has_one_fault(found: object, kind: str) -> None:
    [fault] = section_faults("runtime", {"n_jobs": found}, Runtime)
    assert fault.where == "params.yaml · runtime.n_jobs"
    assert (fault.found, fault.expected) == (f"found {found!r}", f"{kind}, or 'auto'")
    assert fault.mend == "dvc exp run -S 'runtime.n_jobs=…'"


def test_an_impossible_combination_is_told(content: dict[str, Any]) -> None:
    content[TASK]["train"]["warmup_epochs"] = content[TASK]["train"]["epochs"]
    assert "warmup_epochs 14 below epochs 14" in told(content)


def test_all_faults_are_told_at_once(content: dict[str, Any]) -> None:
    content[TASK]["train"]["epochs"] = "ten"
    content["hemoglobin"]["conjunctiva"]["split"]["test"] = 0.9
    assert told(content).count("error:") == 2


@pytest.mark.parametrize(
    ("test", "expected"),
    [(4, None), (1, None), (0.1, None), (0, "at least one group, or `none`"),
     (-2, "at least one group"), (1.5, "a whole number of groups"), (4.0, "a whole number of groups"),
     (True, "a valid integer")],
)  # fmt: skip
def test_a_test_set_is_a_share_or_so_many_groups(
    content: dict[str, Any], test: object, expected: str | None
) -> None:
    content["hemoglobin"]["conjunctiva"]["split"]["test"] = test
    if expected is None:
        how = typed(content, DATA, find_system(DATA).params).split
        assert how.test == test
        assert type(how.test) is type(test)
    else:
        assert expected in told(content)


def test_all_folds_are_a_value_and_what_looks_like_it_is_none(content: dict[str, Any]) -> None:
    content[TASK]["train"]["fold"] = "all"
    assert typed(content, TASK, find_task(TASK).params).train.fold == "all"
    content[TASK]["train"]["fold"] = "alll"
    assert "expected: all, or a whole number from 0" in told(content)


def test_task_and_data_must_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import assay.systems

    monkeypatch.setattr(assay.systems, "__path__", assay.systems.__path__[:1])
    text = (ROOT / "params.yaml").read_text()
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("    fold: 0 ", "    fold: 9 "))
    with pytest.raises(ParamsError, match=r"fold 9, but .*folds is 9"):
        check_files(tmp_path)


def test_studies_in_the_old_place_are_told_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("search: {}\n")
    with pytest.raises(AssayError, match=r"params.yaml · search: .*\n.*in search.yaml"):
        read_all(tmp_path)


@pytest.mark.parametrize("text", ["foo: 1\n", "search: [1]\n", "hemoglobin-nail: {}\nsearch: {}\n"])
def test_what_is_no_study_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text("a: {}\n")
    (tmp_path / "search.yaml").write_text(text)
    with pytest.raises(AssayError, match=r"search.yaml · \S+: no studies"):
        read_all(tmp_path)


def test_a_hand_written_exponent_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: {lr: 1e-4}\n")
    assert read_params(path) == {"a": {"lr": 1e-4}}


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a:\n  b: [1\nc: 2\n")
    with pytest.raises(AssayError, match=r"line 3: not YAML"):
        read_params(path)


def test_an_undeclared_section_names_the_line_to_add() -> None:
    with pytest.raises(AssayError, match=r"params: - hemoglobin-conjunctiva"):
        declared_part({}, TASK, find_task(TASK).params)


HEAVY = "torch torchvision lightning timm mlflow great_expectations dvc pandas sklearn optuna matplotlib"


def test_the_whole_check_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys; from pathlib import Path; from assay.params_check import check_files;"
        f"check_files(Path()); print([n for n in '{HEAVY}'.split() if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_whole_check_reads_once_and_goes_by_the_number_of_sections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could make it long is counted: parsing anew, a section over and over."""
    import assay.systems

    monkeypatch.setattr(assay.systems, "__path__", assay.systems.__path__[:1])
    parsed: list[object] = []
    judged: list[str] = []
    load, validate = YAML.load, Section.model_validate.__func__  # type: ignore[attr-defined]

    def counted(model: type[Section], *given: Any, **more: Any) -> Any:
        judged.append(model.__name__)
        return validate(model, *given, **more)

    monkeypatch.setattr(YAML, "load", lambda *given: parsed.append(1) or load(*given))
    monkeypatch.setattr(Section, "model_validate", classmethod(counted))
    check_files(ROOT)
    assert len(parsed) == 2  # params.yaml and search.yaml
    studies = sum(len(each) for each in read_all(ROOT)[STUDIES].values())
    once, again = len(all_sections()), len(all_tasks())
    # Each for itself, then each task beside its data; a study for itself, and for its keys.
    assert 0 < len(judged) <= once + 2 * again + 2 * studies
