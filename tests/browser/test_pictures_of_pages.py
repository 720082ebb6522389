"""Pictures of this page, of another one and of the clipboard, brought into a list."""

from __future__ import annotations

import base64

import pytest
from PIL import Image

from lib_fabric.pictures import decode_bytes, from_image
from tests.inputs.files import pixels, to_file

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect

PICTURE = Image.fromarray(pixels(5))
DATA_URL = f"data:image/png;base64,{base64.b64encode(to_file(PICTURE)).decode()}"
# As Chromium writes it when a picture is dragged; one in a link has the link in its list.
DROP = """(zone, [html, list]) => {
    const data = new DataTransfer();
    data.setData('text/html', html);
    data.setData('text/uri-list', list);
    for (const kind of ['dragenter', 'dragover', 'drop']) {
        const init = {dataTransfer: data, bubbles: true, cancelable: true};
        zone.dispatchEvent(new DragEvent(kind, init));
    }
}"""
PASTE = """async (node, [address, name]) => {
    const data = new DataTransfer();
    const blob = await (await fetch(address)).blob();
    data.items.add(new File([blob], name, {type: blob.type}));
    const init = {clipboardData: data, bubbles: true, cancelable: true};
    node.dispatchEvent(new ClipboardEvent('paste', init));
}"""


@pytest.fixture
def opened(standin_page):
    """A page with the accordion open."""
    standin_page.open_accordion()
    return standin_page


def expect_picture(page, name, picture_id):
    """The list holds this picture alone."""
    expect(page.tiles(name)).to_have_count(1)
    page.expect_settled()
    assert page.list_text(name) == picture_id


def test_a_picture_of_another_page_is_dropped(opened):
    opened.generate(1)
    address = opened.gallery.locator("img").first.evaluate("each => each.src")
    html = f'<meta charset="utf-8"><a href="/docs"><img src="{address}"></a>'
    opened.drop_zone("disliked").evaluate(DROP, [html, f"{opened.page.url}docs"])
    expect_picture(opened, "disliked", decode_bytes(opened.picture_file()).id)


def test_an_embedded_picture_is_dropped(opened):
    """As Extras, PNG Info and img2img show their input."""
    opened.drop_zone("liked").evaluate(DROP, [f'<img src="{DATA_URL}">', ""])
    expect_picture(opened, "liked", from_image(PICTURE).id)


def test_a_picture_is_dragged_from_the_same_page(opened):
    opened.page.evaluate(
        """address => {
            const image = document.createElement('img');
            image.id = 'another';
            image.src = address;
            image.style.width = '64px';
            document.querySelector('#txt2img_results').prepend(image);
        }""",
        DATA_URL,
    )
    opened.page.locator("#another").drag_to(opened.drop_zone("liked"))
    expect_picture(opened, "liked", from_image(PICTURE).id)


def test_a_tile_of_another_page_is_the_picture_itself_not_its_small_copy(
    opened, new_page, tmp_path
):
    large = Image.fromarray(pixels(6, 600, 800))
    large.save(tmp_path / "large.png")
    opened.choose_files("liked", [tmp_path / "large.png"])
    expect_picture(opened, "liked", from_image(large).id)
    dragged = (
        opened.tiles("liked")
        .first.locator("img")
        .evaluate(
            """node => {
            const data = new DataTransfer();
            node.dispatchEvent(new DragEvent('dragstart', {dataTransfer: data, bubbles: true}));
            return data.types.map(type => [type, data.getData(type)]);
        }"""
        )
    )
    other = new_page("img2img")
    other.show_tab()
    other.open_accordion()
    other.drop_zone("disliked").evaluate(
        """(zone, entries) => {
            const data = new DataTransfer();
            entries.forEach(([type, text]) => data.setData(type, text));
            data.setData('text/html', '<img src="data:image/jpeg;base64,">');
            data.setData('text/uri-list', 'data:image/jpeg;base64,');
            for (const kind of ['dragenter', 'dragover', 'drop']) {
                const init = {dataTransfer: data, bubbles: true, cancelable: true};
                zone.dispatchEvent(new DragEvent(kind, init));
            }
        }""",
        dragged,
    )
    expect_picture(other, "disliked", from_image(large).id)


def test_what_the_browser_may_not_read_is_said_in_a_sentence(opened):
    """Another site that does not share: here another port, at which nobody listens."""
    address = "http://127.0.0.1:9/cat.png"
    opened.drop_zone("liked").evaluate(DROP, [f'<img src="{address}">', address])
    opened.expect_note("cat.png could not be read: browsers keep most pictures of other sites")
    opened.expect_lists(0, 0)


def test_a_picture_is_pasted_into_the_list_in_focus(opened):
    opened.drop_zone("disliked").focus()
    opened.drop_zone("disliked").evaluate(PASTE, [DATA_URL, "image.png"])
    expect_picture(opened, "disliked", from_image(PICTURE).id)


def test_a_picture_is_pasted_into_the_list_under_the_pointer(opened):
    opened.drop_zone("disliked").hover()
    opened.page.locator("body").evaluate(PASTE, [DATA_URL, "image.png"])
    expect_picture(opened, "disliked", from_image(PICTURE).id)


def test_a_picture_pasted_elsewhere_on_the_page_is_liked(opened):
    opened.page.mouse.move(5, 5)
    opened.page.locator("body").evaluate(PASTE, [DATA_URL, "image.png"])
    expect_picture(opened, "liked", from_image(PICTURE).id)


def test_a_field_of_the_host_keeps_what_is_pasted_for_it(new_page):
    page = new_page("img2img")
    page.show_tab()
    page.open_accordion()
    page.page.mouse.move(5, 5)
    page.page.locator("body").evaluate(PASTE, [DATA_URL, "image.png"])
    page.expect_settled()
    page.expect_lists(0, 0)


def test_a_text_is_no_picture(opened):
    opened.drop_zone("liked").focus()
    for node in (opened.drop_zone("liked"), opened.page.locator("body")):
        node.evaluate(
            """node => {
                const data = new DataTransfer();
                data.setData('text/plain', 'a text');
                data.setData('text/html', '<b>a text</b>');
                const init = {clipboardData: data, bubbles: true, cancelable: true};
                node.dispatchEvent(new ClipboardEvent('paste', init));
            }"""
        )
    opened.expect_settled()
    expect(opened.note.locator("p")).to_have_count(0)
    opened.expect_lists(0, 0)


def test_text_that_is_pasted_into_the_prompt_stays_text(opened):
    prompt = opened.page.locator("#txt2img_prompt textarea")
    prompt.evaluate(PASTE, [DATA_URL, "image.png"])
    opened.expect_settled()
    opened.expect_lists(0, 0)
