"""Files of ``[sections]`` with ``name = value``, as ``configparser`` reads them, nothing interpolated."""

from __future__ import annotations

from configparser import DEFAULTSECT, Error, RawConfigParser

from ..errors import ConfigError

__all__ = ["sections_of"]


def sections_of(text: str, default_section: str = DEFAULTSECT) -> RawConfigParser:
    """Return the sections of the file.

    Parameters
    ----------
    default_section : str
        Whose values every other section has too; "" where ``[DEFAULT]`` is one like the others.

    Raises
    ------
    ConfigError
        It is not an INI file.
    """
    parser = RawConfigParser(default_section=default_section)
    try:
        parser.read_string(text)
    except Error as exc:  # its message shows the line, and that line may be a secret
        errors = getattr(exc, "errors", None) or [(getattr(exc, "lineno", "?"),)]
        raise ConfigError(f"The file is not an INI file: line {errors[0][0]} cannot be read.") from None
    return parser
