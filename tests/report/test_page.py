from html.parser import HTMLParser

from ct2pet.report import page

VOID = {"meta", "img"}


class Checker(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_everything_closes_and_text_is_escaped():
    nasty = '<script>alert("1")</script> & co'
    parts = [page.element("h2", nasty), page.table([["a", nasty], ["b", nasty]]), page.image(b"png", nasty)]
    document = page.page(nasty, [*parts, page.details(nasty, page.element("p", "x"))])
    checker = Checker()
    checker.feed(document)
    assert not checker.open
    assert "<script" not in document
    assert "".join(checker.text).count(nasty) == 5


def test_the_first_row_can_stand_out():
    rows = [["name", "MAE"], ["ours", "1"], ["zeros", "2"]]
    assert page.table(rows, emphasise_first=True).count('class="first"') == 1
    assert 'class="first"' not in page.table(rows)
