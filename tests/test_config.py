from __future__ import annotations

import json
import math
from pathlib import Path

import jupyter_core.paths
import pytest
from traitlets.config import Config

from aiser_jupyter.config import PARTS, Settings, describe, load, sources
from aiser_jupyter.errors import ConfigError


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Jupyter's config folders, and a project, all empty."""
    made = {name: tmp_path / name for name in ("system", "env", "user", "path", "project")}
    for folder in made.values():
        folder.mkdir()
    monkeypatch.setattr(jupyter_core.paths, "SYSTEM_CONFIG_PATH", [str(made["system"])])
    monkeypatch.setattr(jupyter_core.paths, "ENV_CONFIG_PATH", [str(made["env"])])
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(made["user"]))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(made["path"]))
    monkeypatch.chdir(made["project"])
    return made


def project(folders: dict[str, Path], text: str) -> Path:
    path = folders["project"] / "pyproject.toml"
    path.write_text(text)
    return path


def policy(folder: Path, **parts: dict[str, object]) -> None:
    (folder / "aiser_config.json").write_text(json.dumps(parts))


def test_a_project_sets_preferences_for_the_folders_below_it(folders: dict[str, Path]) -> None:
    project(folders, "[tool.aiser]\nrow_limit = 5\ntimeout = 60\noutput_type = 'polars'")
    below = folders["project"] / "a" / "b"
    below.mkdir(parents=True)
    preferences = load(below).preferences
    assert (preferences.row_limit, preferences.timeout, preferences.output_type) == (5, 60.0, "polars")


@pytest.mark.parametrize(
    "setting",
    [setting.name for setting in describe() if not setting.preference] + ["AiserLimits", "nonsense"],
)
def test_a_project_cannot_set_policy(folders: dict[str, Path], setting: str) -> None:
    path = project(folders, f"[tool.aiser]\n{setting} = 1")
    with pytest.raises(ConfigError) as caught:
        load()
    assert repr(setting) in caught.value.message
    assert str(path) in caught.value.message


def test_policy_is_read_from_system_and_environment_folders_only(folders: dict[str, Path]) -> None:
    for name in ("user", "path", "project"):
        policy(folders[name], AiserLimits={"workers": 1})
    assert load().limits.workers == 64
    policy(folders["system"], AiserLimits={"workers": 3, "queue": 7})
    policy(folders["env"], AiserLimits={"workers": 2})
    limits = load().limits
    assert (limits.workers, limits.queue) == (2, 7)


def test_policy_may_be_python(folders: dict[str, Path]) -> None:
    (folders["env"] / "aiser_config.py").write_text("c.AiserLimits.workers = 2 * 4")
    assert load().limits.workers == 8


def test_a_preference_that_the_administrator_set_stays(folders: dict[str, Path]) -> None:
    project(folders, "[tool.aiser]\nrow_limit = 5\ngrid = false")
    policy(folders["env"], AiserPreferences={"row_limit": 100})
    preferences = load().preferences
    assert (preferences.row_limit, preferences.grid) == (100, False)


def test_sources_are_the_files_that_are_read(folders: dict[str, Path]) -> None:
    assert sources() == []
    path = project(folders, "")
    policy(folders["env"])
    assert sources() == [path, folders["env"] / "aiser_config.json"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("row_limit", "many"),
        ("row_limit", True),
        ("row_limit", -1),
        ("row_limit", 1.5),
        ("timeout", "long"),
        ("timeout", math.nan),
        ("timeout", math.inf),
        ("timeout", -1),
        ("output_type", "csv"),
        ("grid", "yes"),
        ("connection", 3),
    ],
)
def test_a_value_of_the_wrong_type_names_its_setting(
    folders: dict[str, Path], name: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=f"'{name}'"):
        Settings(Config({"AiserPreferences": {name: value}}))


@pytest.mark.parametrize(
    ("parts", "words", "hint"),
    [
        ({"AiserLimits": {"worker": 3}}, "AiserLimits.worker", "'workers'"),
        ({"AiserLimit": {"workers": 3}}, "AiserLimit", "'AiserLimits'"),
    ],
)
def test_a_misspelt_policy_is_an_error(
    folders: dict[str, Path], parts: dict[str, dict[str, object]], words: str, hint: str
) -> None:
    policy(folders["env"], **parts)
    with pytest.raises(ConfigError, match=words) as caught:
        load()
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["[tool.aiser", "[tool]\naiser = 3", "\x00"])
def test_a_malformed_project_file_is_named(folders: dict[str, Path], text: str) -> None:
    path = project(folders, text)
    with pytest.raises(ConfigError) as caught:
        load()
    assert str(path) in caught.value.message


@pytest.mark.parametrize("text", ["", "tool = 3", "[tool.ruff]"])
def test_a_project_file_that_is_not_about_us_is_left_alone(folders: dict[str, Path], text: str) -> None:
    project(folders, text)
    assert load().preferences.row_limit == 1_000_000


@pytest.mark.parametrize(
    ("name", "text"), [("aiser_config.json", "{"), ("aiser_config.py", "raise ValueError")]
)
def test_a_malformed_policy_file_is_named(folders: dict[str, Path], name: str, text: str) -> None:
    (folders["env"] / name).write_text(text)
    with pytest.raises(ConfigError, match=name):
        load()


def test_every_setting_is_documented_and_its_default_is_valid() -> None:
    described = describe()
    assert len(described) == sum(len(part.class_own_traits(config=True)) for part in PARTS) > 20
    assert [setting for setting in described if not setting.help.endswith(".")] == []
    assert {setting.part for setting in described if setting.preference} == {"AiserPreferences"}
    for setting in described:
        Settings(Config({setting.part: {setting.name: setting.default}}))


def test_every_part_is_one_of_settings() -> None:
    assert {type(part) for part in vars(Settings()).values()} == set(PARTS)


def test_preferences_change_with_the_config_magic(capsys: pytest.CaptureFixture[str]) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    settings, shell = Settings(), InteractiveShell()
    shell.configurables.append(settings.preferences)
    shell.run_line_magic("config", "AiserPreferences.row_limit = 7")
    assert settings.preferences.row_limit == 7
    shell.run_line_magic("config", "AiserPreferences")
    assert "Rows fetched for display" in capsys.readouterr().out


def test_caps_follow_the_machine_where_they_are_not_set() -> None:
    automatic, fixed = Settings(), Settings(Config({"AiserLimits": {"result_bytes": 5}}))
    assert 0 < automatic.limits.result_cap() < automatic.duckdb.memory_bytes()
    assert fixed.limits.result_cap() == 5
