"""The stores: ports, the memory and SQLite backends, the asyncio face, and what a backend of one's own is made of.

``from mobstore.backends import memory`` then ``memory.open()``; ``from mobstore.backends import sqlite`` then
``sqlite.open(path)``; ``from mobstore.backends import aio`` then ``aio.AsyncStores(stores)``.

Who writes a backend in Python makes an `Engine` (or the five ports by hand) and bundles it as `Stores`.
"""

from mobstore.backends._base import Clock, Delivery, Engine, Feed, Subscription, system_clock
from mobstore.backends._stores import Stores

__all__ = ["Clock", "Delivery", "Engine", "Feed", "Stores", "Subscription", "system_clock"]
