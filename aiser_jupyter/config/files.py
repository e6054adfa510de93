"""Where the settings are read from: the administrator's files, and the preferences of a project."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

from ..errors import ConfigError, nearest
from .parts import PARTS, AiserPreferences, Settings

__all__ = ["load", "policy_folders", "sources"]


def load(start: Path | None = None) -> Settings:
    """Read the administrator's files and the project's preferences.

    Parameters
    ----------
    start : Path, optional
        Folder where the search for ``pyproject.toml`` begins; the working folder by default.

    Raises
    ------
    ConfigError
        A file is malformed, or names a setting that is not there or is not a preference.
    """
    config = _policy()
    project = _project_file(start)
    if project is not None:
        for name, value in _preferences(project).items():
            config["AiserPreferences"].setdefault(name, value)
    return Settings(config)


def sources(start: Path | None = None) -> list[Path]:
    """Return the files that `load` reads, the first one weakest."""
    project = _project_file(start)
    return [*([project] if project else []), *_policy_files()]


def policy_folders() -> list[Path]:
    """Return the folders that are the administrator's, the weakest first: system, then environment."""
    from jupyter_core.paths import ENV_CONFIG_PATH, SYSTEM_CONFIG_PATH

    return [Path(folder) for folder in (*reversed(SYSTEM_CONFIG_PATH), *reversed(ENV_CONFIG_PATH))]


def _policy_files() -> list[Path]:
    paths = [folder / f"aiser_config.{suffix}" for folder in policy_folders() for suffix in ("json", "py")]
    return [path for path in paths if path.is_file()]


def _policy() -> Config:
    config = Config({"AiserPreferences": {}})
    for path in _policy_files():
        loader = JSONFileConfigLoader if path.suffix == ".json" else PyFileConfigLoader
        try:
            found = loader(path.name, str(path.parent)).load_config()
        except Exception as exc:  # the file may be Python: it may raise anything
            raise ConfigError(f"{path} cannot be read: {exc}") from exc
        _require_known(found, path)
        config.merge(found)
    return config


def _require_known(found: Config, path: Path) -> None:
    """A limit that is misspelt would be no limit at all."""
    parts = {part.__name__: part.class_trait_names(config=True) for part in PARTS}
    for part, values in found.items():
        if part not in parts:
            raise ConfigError(f"{path} sets {part!r}, which is not here.", hint=nearest(part, parts))
        for name in values:
            if name not in parts[part]:
                hint = nearest(name, parts[part], noun="settings")
                raise ConfigError(f"{path} sets {part}.{name}, which is not a setting.", hint=hint)


def _project_file(start: Path | None) -> Path | None:
    here = (start or Path.cwd()).absolute()
    paths = (folder / "pyproject.toml" for folder in (here, *here.parents))
    return next((path for path in paths if path.is_file()), None)


def _preferences(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content: dict[str, Any] = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc
    tool = content.get("tool")
    table = tool.get("aiser", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise ConfigError(f"tool.aiser in {path} is not a table.", hint="Write [tool.aiser].")
    known = AiserPreferences.class_trait_names(preference=True)
    for name in table:
        if name not in known:
            raise ConfigError(
                f"[tool.aiser] in {path} sets {name!r}, which is not a preference.",
                hint=nearest(name, known, noun="preferences"),
            )
    return table
