"""Subscriptions, as scenarios (contract, section 5): every event appended after subscribing, once, in order."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Final

from mobstore.model import FEED_CAPACITY
from mobstore.properties.pools import EVENTS, TIMES
from mobstore.properties.scenarios import Scenario, expect, refusal


def own_events(stores: Any, _other: Any) -> None:
    """A subscriber gets what was appended after it began, and nothing older"""
    stores.events.append(EVENTS[0])
    with closing(stores.events.subscribe()) as subscription:
        event = stores.events.append(EVENTS[1])
        expect(subscription.drain(2.0).events, (event,))


def once(stores: Any, _other: Any) -> None:
    """A subscriber gets an event once"""
    with closing(stores.events.subscribe()) as subscription:
        event = stores.events.append(EVENTS[1])
        expect(subscription.drain(2.0).events, (event,))
        expect(subscription.drain(0.0).events, ())


def a_batch(stores: Any, _other: Any) -> None:
    """A subscriber gets a batch in the order of its cursors, whatever the times of its events"""
    with closing(stores.events.subscribe()) as subscription:
        events = stores.events.append_batch(EVENTS[:7])
        got: tuple[Any, ...] = ()
        while len(got) < 7 and (new := subscription.drain(2.0).events):
            got += new
        expect(got, events)


def of_another_handle(stores: Any, other: Any) -> None:
    """A subscriber gets what another handle appended"""
    with closing(stores.events.subscribe()) as subscription:
        event = other.events.append(EVENTS[1])
        expect(subscription.drain(2.0).events, (event,))


def after_a_clear(stores: Any, _other: Any) -> None:
    """A subscriber gets what was appended after a clear"""
    stores.events.append_batch(EVENTS[:3])
    with closing(stores.events.subscribe()) as subscription:
        stores.events.clear()
        event = stores.events.append(EVENTS[1])
        expect(subscription.drain(2.0).events, (event,))


def before_a_clear(stores: Any, _other: Any) -> None:
    """A subscriber gets what was appended before a clear"""
    with closing(stores.events.subscribe()) as subscription:
        event = stores.events.append(EVENTS[1])
        stores.events.clear()
        expect(subscription.drain(2.0).events, (event,))


def before_a_prune(stores: Any, _other: Any) -> None:
    """A subscriber gets what was appended before a prune"""
    with closing(stores.events.subscribe()) as subscription:
        event = stores.events.append(EVENTS[1])
        stores.events.prune(TIMES[5])
        expect(subscription.drain(2.0).events, (event,))


def a_terminal_event_that_exists(stores: Any, _other: Any) -> None:
    """A subscriber gets no event that was not appended"""
    stores.events.append_terminal_event_if_absent(EVENTS[1])
    with closing(stores.events.subscribe()) as subscription:
        stores.events.append_terminal_event_if_absent(EVENTS[1])
        expect(subscription.drain(0.0).events, ())


def two_subscribers(stores: Any, other: Any) -> None:
    """Each of two subscribers gets every event"""
    with closing(stores.events.subscribe()) as first, closing(other.events.subscribe()) as second:
        event = stores.events.append(EVENTS[1])
        expect(first.drain(2.0).events, (event,))
        expect(second.drain(2.0).events, (event,))


def far_behind(stores: Any, _other: Any) -> None:
    """A subscriber that is 4,099 events behind is told that it missed 3, and gets the others"""
    with closing(stores.events.subscribe()) as subscription:
        events = stores.events.append_batch([EVENTS[0]] * (FEED_CAPACITY + 3))
        delivery = subscription.drain(2.0)
        expect(delivery.lagged, 3)
        expect(delivery.events, events[3:])


def closed(stores: Any, _other: Any) -> None:
    """A closed subscription answers `Internal`"""
    subscription = stores.events.subscribe()
    subscription.close()
    expect(refusal(lambda: subscription.drain(0.0)), "Internal")


NEEDS: Final = (
    "event.subscribe",
    "event.append",
    "event.append_batch",
    "event.append_terminal_event_if_absent",
    "event.clear",
)
"""The calls that the scenarios make."""

SCENARIOS: Final[tuple[Scenario, ...]] = (
    own_events,
    once,
    a_batch,
    of_another_handle,
    after_a_clear,
    before_a_clear,
    before_a_prune,
    a_terminal_event_that_exists,
    two_subscribers,
    far_behind,
    closed,
)
"""What is tried, in this order."""
