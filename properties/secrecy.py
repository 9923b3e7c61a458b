"""Secrets, as scenarios: a supervisor's key and a bootstrap token appear in no log, output, error or repr."""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final

from mobstore.model import SecretKey, SupervisorAuthorityRecord
from mobstore.model.values import BootstrapToken, ExternalBindingOverlayRecord, OverlayNormalized
from mobstore.properties.pools import TIMES
from mobstore.properties.scenarios import Scenario, expect

KEY: Final = bytes(range(101, 133))
TOKEN: Final = "a-token-that-nobody-may-see"  # noqa: S105 - it guards nothing
RECORD: Final = SupervisorAuthorityRecord(SecretKey.of(list(KEY)), "peer-1", 0)
NEXT: Final = SupervisorAuthorityRecord(SecretKey.of(list(KEY)), "peer-1", 1)
OVERLAY: Final = ExternalBindingOverlayRecord(
    "worker", 0, None, BootstrapToken.of(TOKEN), OverlayNormalized(), TIMES[0]
)


def traces(text: str) -> list[str]:
    """Return which secret stands in a text, in which form."""
    forms = {
        "the key as bytes": repr(KEY)[2:-1],
        "the key as a list": str(list(KEY))[1:-1],
        "the key as JSON": ",".join(map(str, KEY)),
        "the key in hexadecimal": KEY.hex(),
        "the key in base64": base64.b64encode(KEY).decode().rstrip("="),
        "the token": TOKEN,
    }
    return [form for form, shown in forms.items() if shown in text]


@contextlib.contextmanager
def overheard() -> Iterator[Callable[[], str]]:
    """Listen to what is logged, printed and warned of meanwhile; yields what tells it."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with (
            contextlib.redirect_stdout(heard),
            contextlib.redirect_stderr(heard),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            yield lambda: heard.getvalue() + "".join(str(each.message) for each in warned)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def told(call: Callable[[], Any]) -> str:
    """Make a call; return its error, with all that it hangs on, and the repr of it or of the answer."""
    try:
        answer = call()
    except Exception as error:  # noqa: BLE001 - whatever a backend raises may tell a secret
        return _everything(error)
    return repr(answer)


def _everything(error: BaseException | None) -> str:
    """An error, and what it came from."""
    if error is None:
        return ""
    return f"{error!r} {error} {vars(error)!r} {_everything(error.__cause__ or error.__context__)}"


def a_key_that_is_put(stores: Any, _other: Any) -> None:
    """A key that is put is told to nobody"""
    with overheard() as heard:
        answered = told(lambda: stores.metadata.put_supervisor_authority("mob", RECORD))
    expect(traces(heard() + answered), [])


def a_key_that_is_loaded(stores: Any, _other: Any) -> None:
    """A key that is loaded stands in no log, and its record's repr hides it"""
    stores.metadata.put_supervisor_authority("mob", RECORD)
    with overheard() as heard:
        answered = told(lambda: stores.metadata.load_supervisor_authority("mob"))
    expect(traces(heard() + answered), [])


def a_key_that_is_compared(stores: Any, _other: Any) -> None:
    """A key that is not the expected one is told to nobody"""
    stores.metadata.put_supervisor_authority("mob", RECORD)
    with overheard() as heard:
        answered = told(lambda: stores.metadata.compare_and_put_supervisor_authority("mob", NEXT, RECORD))
    expect(traces(heard() + answered), [])


def a_key_that_is_there(stores: Any, _other: Any) -> None:
    """A key that stands in the way is told to nobody"""
    stores.metadata.put_supervisor_authority("mob", RECORD)
    with overheard() as heard:
        answered = told(lambda: stores.metadata.put_supervisor_authority_if_absent("mob", NEXT))
    expect(traces(heard() + answered), [])


def a_token_that_is_put(stores: Any, _other: Any) -> None:
    """A bootstrap token that is put and listed is told to nobody"""
    with overheard() as heard:
        answered = told(lambda: stores.metadata.upsert_external_binding_overlay("mob", OVERLAY))
        answered += told(lambda: stores.metadata.list_external_binding_overlays("mob"))
    expect(traces(heard() + answered), [])


def a_closed_store(stores: Any, _other: Any) -> None:
    """A key that is put into a closed store stands in no error, and the store's repr hides it"""
    stores.metadata.put_supervisor_authority("mob", RECORD)
    shown = repr(getattr(stores, "engine", None))
    stores.close()
    with overheard() as heard:
        answered = told(lambda: stores.metadata.put_supervisor_authority("mob", NEXT))
    expect(traces(heard() + answered + shown), [])


NEEDS: Final = (
    "metadata.put_supervisor_authority",
    "metadata.load_supervisor_authority",
    "metadata.compare_and_put_supervisor_authority",
    "metadata.put_supervisor_authority_if_absent",
    "metadata.upsert_external_binding_overlay",
    "metadata.list_external_binding_overlays",
)
"""The calls that the scenarios make."""

SCENARIOS: Final[tuple[Scenario, ...]] = (
    a_key_that_is_put,
    a_key_that_is_loaded,
    a_key_that_is_compared,
    a_key_that_is_there,
    a_token_that_is_put,
    a_closed_store,
)
"""What is tried, in this order."""
