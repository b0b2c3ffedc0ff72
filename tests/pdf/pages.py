"""What tests read in a PDF: text, where it stands, pictures, and how full the pages are."""

import io
from functools import cache

import pypdf

SIZE = {"a4": (595, 842), "letter": (612, 792)}  # points
TOP, FOOT = 60, 60  # margins; below the foot is only the page number


def reader_of(pdf):
    return pypdf.PdfReader(io.BytesIO(pdf))


@cache
def read(pdf):
    """Text of each page; glyphs; pictures, as the functions below return them."""
    pages, glyphs, pictures = [], [], []
    for number, page in enumerate(reader_of(pdf).pages, start=1):

        def visit_text(text, cm, tm, font, size, number=number):
            if text.strip():
                x, y = cm[0] * tm[4] + cm[4], cm[3] * tm[5] + cm[5]
                glyphs.append((number, text.strip(), x, y, abs(size * tm[0] * cm[0])))

        def visit_operator(operator, operands, cm, tm, number=number):
            if operator == b"Do":
                low = min(cm[5], cm[5] + cm[3])
                pictures.append((number, cm[4], low, abs(cm[0]), abs(cm[3])))

        visitors = {"visitor_text": visit_text, "visitor_operand_before": visit_operator}
        pages.append(page.extract_text(**visitors))
    return pages, glyphs, pictures


def pages_of(pdf):
    """Text of each page."""
    return read(pdf)[0]


def text_of(pdf):
    return "\n".join(pages_of(pdf))


def glyphs_of(pdf):
    """(page, text, x, y, size) of the pieces of text, lengths in points, y from below."""
    return read(pdf)[1]


def pictures_of(pdf):
    """(page, x, y, width, height) of the pictures, in points, y from below."""
    return read(pdf)[2]


def assert_fonts_are_ours(pdf):
    """No letter is shown in a font of the machine."""
    for page in reader_of(pdf).pages:
        for font in page["/Resources"]["/Font"].values():
            name = font.get_object()["/BaseFont"].split("+")[-1]
            assert name.startswith(("Libertinus", "NewCM", "DejaVu"))


def filled(pdf):
    """Which share of each page is filled, from its top to the lowest text or picture."""
    reader = reader_of(pdf)
    lowest = {}
    places = [(page, y) for page, _, _, y, _ in glyphs_of(pdf) if y > FOOT]
    places += [(page, y) for page, _, y, _, _ in pictures_of(pdf)]
    for page, y in places:
        lowest[page] = min(y, lowest.get(page, 1e9))
    shares = []
    for number, page in enumerate(reader.pages, start=1):
        height = float(page.mediabox.height)
        shares.append((height - TOP - lowest.get(number, height)) / (height - TOP - FOOT))
    return shares
