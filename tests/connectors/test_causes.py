"""What led to an exception is found whichever way a driver keeps it, and lets go of what it held."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Callable

import pytest

from aiser_jupyter.connectors.causes import bare, causes, forget_locals


def _failure(fail: Callable[[], object]) -> Exception:
    try:
        fail()
    except Exception as exc:
        return exc
    raise AssertionError("nothing failed")


def _login(password: str) -> None:
    raise ssl.SSLError(f"refused after {len(password)} characters")


def _caused() -> None:
    try:
        _login("canary-7f3a")
    except ssl.SSLError as exc:
        raise ConnectionError("no login") from exc


def _beside() -> None:
    try:
        _login("canary-7f3a")
    except ssl.SSLError:
        raise ConnectionError("closing failed too") from None


def _kept(attribute: str) -> Callable[[], None]:
    def fail() -> None:
        error = ConnectionError("no login")
        setattr(error, attribute, _failure(lambda: _login("canary-7f3a")))
        raise error from ValueError("another reason")

    return fail


WAYS = {
    "cause": _caused,
    "context": _beside,
    "PyMySQL's": _kept("original_exception"),
    "Google's": _kept("cause"),
}


@pytest.mark.parametrize("fail", WAYS.values(), ids=WAYS)
def test_a_reason_is_found_whichever_way_it_is_kept(fail: Callable[[], object]) -> None:
    found = list(causes(_failure(fail)))
    assert [type(each) for each in found[:2]] == [ConnectionError, ssl.SSLError]


@pytest.mark.parametrize("fail", WAYS.values(), ids=WAYS)
def test_no_frame_is_left_of_a_bare_error(fail: Callable[[], object]) -> None:
    error = _failure(fail)
    assert bare(error) is error
    assert [each.__traceback__ for each in causes(error)] == [None] * len(list(causes(error)))


@pytest.mark.parametrize("fail", WAYS.values(), ids=WAYS)
def test_frames_that_stay_hold_nothing(fail: Callable[[], object]) -> None:
    def shown(error: BaseException) -> str:
        frames = (traceback.walk_tb(each.__traceback__) for each in causes(error))
        return repr([frame.f_locals for walked in frames for frame, _ in walked])

    error = _failure(fail)
    assert "canary-7f3a" in shown(error)
    forget_locals(error)
    assert "canary-7f3a" not in shown(error)
    assert error.__traceback__ is not None


def test_a_loop_of_causes_ends() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert list(causes(first)) == [first, second]


def test_what_is_called_a_cause_and_is_none_is_passed_over() -> None:
    error = ValueError("1")
    error.cause = "a word"  # type: ignore[attr-defined]
    assert list(causes(error)) == [error]
    assert list(causes(None)) == []
