"""Pages are escaped, and ask for nothing."""

import re

from mobstore.properties.pages import Span, details, document, tag, timeline


def test_text_is_escaped_and_elements_are_not():
    assert tag("p", "a < b", tag("b", "&"), title='"') == '<p title="&quot;">a &lt; b<b>&amp;</b></p>'


def test_attributes_may_be_left_out():
    assert tag("a", class_="x", hidden=True, title=None, data_go=3) == '<a class="x" hidden data-go="3"></a>'


def test_details_leave_out_what_there_is_not():
    assert details([("a", 1), ("b", None)]) == "<dl><dt>a</dt><dd>1</dd></dl>"


def test_a_page_is_one_file_that_asks_for_nothing():
    page = document("title", timeline("calls", [Span("a", "0", "read", "read", 0, 1)]), tag("article", id="a"))
    assert page.startswith("<!doctype html>")
    assert not re.search(r"""(src|href)=|@import|url\((?!#)|https?:""", page)
    assert "default-src 'none'" in page.replace("&#x27;", "'")
