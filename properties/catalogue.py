"""Every chapter of the suite, in the order in which they run: of single calls first, then of calls at once."""

from __future__ import annotations

from typing import Final

from mobstore.properties import chapters
from mobstore.properties.chapters import Chapter
from mobstore.properties.concurrency.chapters import AT_ONCE

CHAPTERS: Final[tuple[Chapter, ...]] = (*chapters.CHAPTERS, *AT_ONCE)
"""The chapters."""
