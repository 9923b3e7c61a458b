"""Flow definitions: what breaks a rule is refused, and the message names the node and the rule."""

import pytest

from mobstore.model import RunId
from mobstore.model.callers.flow import (
    Flow,
    InvalidFlow,
    Loop,
    Step,
    body_frame,
    instance_of,
    nesting,
    path_of,
    root_frame,
)
from mobstore.properties.workflows.scenarios import RUN_ID

NESTED = Flow("f", (Step("a"), Loop("l", (Loop("m", (Step("x"), Step("y"))), Step("z")), depends_on=("a",))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Flow("f", ()), "flow 'f': a graph has at least one node"),
        (lambda: Flow("f", (Step("a"), Step("a"))), "flow 'f': two nodes have the id 'a'"),
        (lambda: Flow("f", (Step("a", ("b",)),)), "node 'a' depends on 'b', which its graph does not have"),
        (
            lambda: Flow("f", (Step("a", ("b",)), Step("b", ("a",)), Step("c", ("a",)))),
            "nodes depend on each other in a circle: a -> b -> a",
        ),
        (lambda: Flow("f", (Step("a", ("a",)),)), "in a circle: a -> a"),
        (lambda: Flow("f", (Step("a", "bc"),)), "depends_on='bc': a string is one id"),
        (lambda: Flow("f", (Step("a::b"),)), "the id 'a::b' has '::' in it, or ':' at an end"),
        (lambda: Flow("f", (Step("a:"),)), "the id 'a:' has '::' in it, or ':' at an end"),
        (lambda: Flow("f", (Step(3),)), "the id of a node: 3 is not a string"),
        (lambda: Flow("f", (Step("a", branch=3),)), "the branch of node 'a': 3 is not a string"),
        (lambda: Flow("f", ("a",)), "'a' is neither a step nor a loop"),
        (lambda: Flow("f", (Loop("l", (Step("x", ("a",)),)),)), "flow 'f', loop 'l': node 'x' depends on 'a'"),
        (lambda: Flow("f", (Loop("l", (Step("x"),), 0),)), "max_iterations is 0, and not from 1 to 1,000,001"),
        (
            lambda: Flow("f", (Step("a"),), max_active_nodes=-1),
            "max_active_nodes of flow 'f': -1 is not",
        ),
        (lambda: Flow("f", NESTED.nodes, max_frame_depth=1), "nested 2 deep, and max_frame_depth is 1"),
        (lambda: Flow("f", NESTED.nodes, max_active_frames=1), "the innermost body could never start"),
    ],
)
def test_refuses_what_breaks_a_rule(make, message):
    with pytest.raises(InvalidFlow) as caught:
        make()
    assert message in str(caught.value)


def test_ids_lead_back_to_the_node():
    instance = instance_of(body_frame(instance_of(root_frame(RUN_ID), "l"), 7), "m")
    assert instance == f"{RUN_ID}-root::l::iter-7::m"
    assert path_of(RUN_ID, instance) == ("l", "m")
    assert NESTED.loop_of(RUN_ID, instance).id == "m"


def test_another_runs_loop_is_refused():
    other = RunId("22222222-0000-4000-8000-000000000002")
    with pytest.raises(InvalidFlow, match="flow 'f' has no loop with an instance"):
        NESTED.loop_of(other, instance_of(root_frame(RUN_ID), "l"))


def test_counts_steps_and_nesting():
    assert (NESTED.steps, nesting(NESTED.nodes), NESTED.loops["l",].height) == (4, 2, 2)
