"""The daemon's settings: what each is called in the file, in the environment, and what it may be."""

import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NAME: Final = "host.toml"
MIB: Final = 1024 * 1024


class ConfigError(ValueError):
    """The host cannot start as it was asked to; the text is for its operator."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `read` makes a value from the file's or the environment's word; raises ValueError."""

    variable: str
    read: Callable[[Any], Any]  # a word of TOML or of the environment, made into the setting's own type
    default: Any  # of the type that `read` gives


def _text(word: object) -> str:
    if not isinstance(word, str):
        raise ValueError("must be a text")
    return word


def _texts(word: object) -> tuple[str, ...]:
    """A list in the file, separated as in PATH in the environment."""
    if isinstance(word, str):
        return tuple(part for part in word.split(os.pathsep) if part)
    if not isinstance(word, list) or not all(isinstance(part, str) for part in word):
        raise ValueError("must be a list of texts")
    return tuple(word)


def _names(word: object) -> tuple[str, ...]:
    return tuple(word.replace(",", " ").split()) if isinstance(word, str) else _texts(word)


def _amount(least: float) -> Callable[[object], float]:
    def read(word: object) -> float:
        problem = f"must be a number of at least {least:g}"
        if isinstance(word, bool) or not isinstance(word, int | float | str):
            raise ValueError(problem)
        try:
            amount = float(word)
        except ValueError:
            raise ValueError(problem) from None
        if not least <= amount < float("inf"):
            raise ValueError(problem)
        return amount

    return read


SETTINGS: Final[Mapping[str, Setting]] = {
    "server": Setting("OMNIGENT_SERVER", _text, ""),
    "name": Setting("OMNIGENT_HOST_NAME", _text, ""),
    "workspace_root": Setting("OMNIGENT_WORKSPACE_ROOT", _text, "~/omnigent"),
    "roots": Setting("OMNIGENT_HOST_ROOTS", _texts, ()),
    "passthrough": Setting("OMNIGENT_RUNNER_ENV_PASSTHROUGH", _names, ()),
    "token_file": Setting("OMNIGENT_TOKEN_FILE", _text, ""),
    "log_mb": Setting("OMNIGENT_HOST_LOG_MB", _amount(0.01), 5.0),
    "log_files": Setting("OMNIGENT_HOST_LOG_FILES", _amount(0), 3.0),
    "runner_log_mb": Setting("OMNIGENT_RUNNER_LOG_MB", _amount(0.01), 200.0),
    "runner_log_days": Setting("OMNIGENT_RUNNER_LOG_DAYS", _amount(0), 14.0),
}


class Settings:
    """The value of each setting; the environment wins over the file. Raises ConfigError."""

    def __init__(self, path: Path | None, environ: Mapping[str, str]) -> None:
        self._path = path
        self._said = _parsed(path) if path is not None else {}
        self._environ = environ
        unknown = sorted(self._said.keys() - SETTINGS.keys())
        if unknown:
            known = ", ".join(SETTINGS)
            raise ConfigError(f"{path} has an unknown setting {unknown[0]!r}; there are {known}")

    def __getitem__(self, name: str) -> Any:  # of the setting's own type
        setting = SETTINGS[name]
        variable = self._environ.get(setting.variable)
        if variable:
            return _read(setting, variable, setting.variable)
        if name in self._said:
            return _read(setting, self._said[name], f"{name} in {self._path}")
        return setting.default


def token_in(path: Path) -> str:
    """The token that a file holds, which nobody else may be able to read. Raises ConfigError."""
    try:
        facts = path.stat()
        if stat.S_IMODE(facts.st_mode) & 0o077:
            raise ConfigError(f"{path} holds a token and can be read by others; chmod 600 it")
        token = path.read_text(errors="replace").strip()
    except OSError as error:
        raise ConfigError(f"cannot read the token in {path}: {error.strerror}") from None
    if not token or not token.isprintable() or not token.isascii():
        raise ConfigError(f"{path} does not hold a token")
    return token


def _read(setting: Setting, word: object, where: str) -> Any:  # of the setting's own type
    try:
        return setting.read(word)
    except ValueError as error:
        raise ConfigError(f"{where} {error}") from None


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
