"""The stores: ports, the memory and SQLite backends, and the asyncio face.

``from mobstore.backends import memory`` then ``memory.open()``; ``from mobstore.backends import sqlite`` then
``sqlite.open(path)``; ``from mobstore.backends import aio`` then ``aio.AsyncStores(stores)``.
"""
