"""Models: what operations do and answer, what files may say of them."""

import pytest

from mobstore.properties.linearizability import CasRegister, CellStore, KeyValue, MalformedHistory, read_history
from mobstore.properties.linearizability.stores import StoreModel

INVOKE = '{"process": 0, "type": "invoke", '
OK = '{"process": 0, "type": "ok", '


def run(model, *operations):
    state, answers = model.initial(), []
    for f, value in operations:
        state, answer = model.step(state, f, value)
        answers.append(answer)
    return answers


def test_a_register_reads_writes_and_compares():
    answers = run(CasRegister(), ("read", None), ("cas", (None, 1)), ("cas", (2, 3)), ("write", 4), ("read", None))
    assert answers == [None, True, False, None, 4]


def test_cells_are_compared_and_written_together():
    both, one = ((("a", 0), ("b", 0)), (("a", 1), ("b", 1))), ((("a", 1), ("b", 0)), (("a", 2),))
    answers = run(CellStore({"a": 0, "b": 0}), ("cas", both), ("cas", one), ("read", ("b", "a")))
    assert answers == [True, False, (1, 1)]


def test_a_map_joins_texts_and_lengthens_lists():
    get = ("get", None)
    answers = run(KeyValue(), get, ("append", "a"), ("append", "b"), get, ("put", "c"), get)
    assert answers == ["", None, None, "ab", None, "c"]
    assert run(KeyValue(), ("append", 1), ("append", 2), ("get", None))[-1] == (1, 2)


def test_keys_are_objects_of_their_own():
    lines = [f'{INVOKE}"f": "put", "key": "{key}", "value": 1}}\n{OK}"f": "put", "value": 1}}' for key in "abab"]
    history = read_history("\n".join(lines).splitlines(), rules=KeyValue().admit)
    assert {key: list(rows) for key, rows in KeyValue().parts(history).items()} == {"a": [0, 2], "b": [1, 3]}


@pytest.mark.parametrize(
    ("model", "line", "message"),
    [
        (CasRegister(), '"f": "get"}', "line 1: a cas-register has read, write and cas, not 'get'"),
        (CasRegister(), '"f": "read", "value": 1}', "line 1: a read is invoked with value null"),
        (CasRegister(), '"f": "read", "key": 1}', "line 1: a cas-register is one object: its events have no key"),
        (CasRegister(), '"f": "cas", "value": 3}', "line 1: the value of a cas is [expected, new]"),
        (KeyValue(), '"f": "read"}', "line 1: a key-value map has get, put and append, not 'read'"),
        (KeyValue(), '"f": "get"}', "line 1: get names its key"),
        (KeyValue(), '"f": "get", "key": 1, "value": 2}', "line 1: a get is invoked with value null"),
        (StoreModel(), '"f": "cas"}', "line 1: no call of a history of the stores: 'cas'"),
        (StoreModel(), '"f": "subscribe", "value": {}}', "line 1: no call of a history of the stores: 'subscribe'"),
        (StoreModel(), '"f": "get_run", "value": {"run_id": 3}}', "line 1: get_run: "),
        (
            StoreModel(),
            '"f": "latest_cursor", "key": 1, "value": {}}',
            "line 1: the objects of the stores are",
        ),
    ],
)
def test_what_a_model_does_not_know_is_refused(model, line, message):
    with pytest.raises(MalformedHistory) as refused:
        read_history([INVOKE + line], rules=model.admit)
    assert str(refused.value).startswith(message)


def test_a_cas_says_whether_it_replaced_the_value():
    text = [INVOKE + '"f": "cas", "value": [1, 2]}', OK + '"f": "cas", "value": [1, 2]}']
    with pytest.raises(MalformedHistory, match='an ok response to a cas carries "result": true or false'):
        read_history(text, rules=CasRegister().admit)
