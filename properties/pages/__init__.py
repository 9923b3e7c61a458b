"""Pages: HTML reports that are one file each, need no network, and are used by pointer, keyboard and touch.

`tag` and `document` build a page from escaped text; `timeline` draws calls of several processes over each other.
The style and the script are the same for every page, and are put into it.
"""

from mobstore.properties.pages.html import Html, details, document, tag
from mobstore.properties.pages.timeline import Link, Span, timeline

__all__ = ["Html", "Link", "Span", "details", "document", "tag", "timeline"]
