"""One tab of the WebUI's page as a person uses it. Knows Playwright and the host's element ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

# The real host on a slow CPU needs its time; nothing waits longer than it has to.
GENERATION_MS = 180_000
ANSWER_MS = 20_000


def hold(page: FabricPage, name: str) -> None:
    """Lets the next call of `fabricUi.<name>` wait until `release`; gradio awaits its result."""
    page.page.evaluate(
        """name => {
            const whole = fabricUi[name];
            fabricUi[name] = (...values) => {
                fabricUi[name] = whole;
                // What is sent is what the page holds at the press.
                const result = name === 'take' ? whole(...values) : null;
                return new Promise(resolve => {
                    window.release = () => resolve(result || whole(...values));
                });
            };
        }""",
        name,
    )


def release(page: FabricPage) -> None:
    """Waits until what `hold` holds has been called, and lets it go on."""
    page.page.wait_for_function("() => window.release")
    page.page.evaluate("() => { const go = window.release; delete window.release; go(); }")


class FabricPage:
    """The FABRIC accordion, the thumbs and the result gallery of one tab."""

    def __init__(self, page: Page, tab: str = "txt2img") -> None:
        self.page = page
        self.tab = tab
        self.gallery = page.locator(f"#{tab}_gallery")
        self.pictures = self.gallery.locator(".thumbnails > .thumbnail-small")
        # gradio 4 has a button around it.
        self.large = self.gallery.locator(":is(.preview, .preview > .image-button) > img")
        self.lists = self.own("lists")
        self.note = self.own("note")
        self.is_enabled = page.locator(f"#{tab}_fabric_accordion-checkbox input")
        self.infotext = page.locator(f"#html_info_{tab}").first
        self.viewer = page.locator("#lightboxModal")
        # In the gallery: on the thumbnail under the pointer, and on the preview.
        self.thumbnail_thumbs = self.gallery.locator("[data-fabric-thumbs=thumbnail]")
        self.preview_thumbs = self.gallery.locator("[data-fabric-thumbs=preview]")
        self.viewer_thumbs = self.viewer.locator("[data-fabric-thumbs=viewer]")

    def own(self, name: str) -> Locator:
        """An element of the extension by its short name."""
        # gradio gives an HTML block's id to its inner element, too.
        return self.page.locator(f"#{self.tab}_fabric_{name}").first

    def open(self, url: str, is_answered: bool = True) -> None:
        """Loads the page and waits until the extension has set itself up.

        Args:
            is_answered: wait as well until the page has the lists that it had before.
        """
        self.page.goto(url)
        # Set by the script's own onUiLoaded, which comes after the host's.
        thumb = self.page.locator(f"#{self.tab}_fabric_like[aria-pressed]")
        thumb.wait_for(state="attached", timeout=GENERATION_MS)
        if is_answered:
            self.expect_settled()

    def expect_settled(self) -> None:
        """Waits until every press has its answer."""
        expect(self.lists).to_have_attribute("aria-busy", "false", timeout=ANSWER_MS)

    def show_tab(self) -> None:
        """Switches to this tab."""
        self.page.locator("#tabs > .tab-nav > button", has_text=self.tab).first.click()

    def send_from_png_info(self, file: Path) -> None:
        """Drops a picture file on PNG Info and sends what it says to this tab."""
        self.page.locator("#tabs > .tab-nav > button", has_text="PNG Info").first.click()
        self.page.locator("#pnginfo_image input[type=file]").set_input_files(str(file))
        expect(self.page.locator("#tab_pnginfo")).to_contain_text("Steps: ", timeout=ANSWER_MS)
        self.page.locator(f"#{self.tab}_tab").click()
        expect(self.page.locator(f"#tab_{self.tab}")).to_be_visible()

    def choose_img2img_image(self, file: Path) -> None:
        """Chooses the picture that img2img starts from, and waits until it is shown."""
        image = self.page.locator("#img2img_image")
        image.locator("input[type=file]").set_input_files(str(file))
        expect(image.locator("img, canvas").first).to_be_attached(timeout=ANSWER_MS)

    def paste(self, infotext: str = "") -> None:
        """Presses the arrow button, with `infotext` in the prompt; '' is the last generation."""
        self.page.locator(f"#{self.tab}_prompt textarea").fill(infotext)
        self.page.locator(f"#{self.tab}_tools #paste").click()

    def picture_file(self, index: int = 0) -> bytes:
        """A picture of the gallery as the host saved it."""
        image = self.gallery.locator(".thumbnail-item img").nth(index)
        return self.page.request.get(image.evaluate("each => each.src")).body()

    def open_accordion(self) -> None:
        """Opens the accordion, which ticks its box."""
        if not self.lists.is_visible():
            self._title().click()
        expect(self.lists).to_be_visible()

    def switch_off(self) -> None:
        """Unticks the accordion; in WebUI 1.6, which has no box there, closes it."""
        box = self.page.locator(f"#{self.tab}_fabric_accordion-visible-checkbox")
        (box if box.count() else self._title()).click()
        expect(self.is_enabled).not_to_be_checked()

    def generate(self, count: int = 4) -> None:
        """Makes `count` small pictures; more than one come after a grid."""
        for name, value in {"width": 64, "height": 64, "steps": 2, "batch_size": count}.items():
            self._set_number(f"{self.tab}_{name}", value)
        self.press_generate(count)

    def press_generate(self, count: int = 1) -> None:
        """Presses Generate and waits for `count` new pictures."""
        self._close_toasts()
        before = self._addresses()
        self._generate_button.click()
        self._wait_for_new_pictures(count, before)

    def expect_generate_held_until(self, release: Callable[[], object], count: int) -> None:
        """Presses Generate while a press before it waits for `release`; pictures follow then."""
        self._close_toasts()
        before = self._addresses()
        self._generate_button.click()
        expect(self._generate_button).to_contain_class("fabric-held")
        assert self._addresses() == before
        release()
        self._wait_for_new_pictures(count, before)
        expect(self._generate_button).not_to_contain_class("fabric-held")

    @property
    def _generate_button(self) -> Locator:
        return self.page.locator(f"#{self.tab}_generate")

    def _wait_for_new_pictures(self, count: int, before: Sequence[str]) -> None:
        results = self.page.locator(f"#{self.tab}_results")
        self.page.wait_for_function(
            """([id, count, before]) => {
                const items = document.querySelectorAll(`#${id} .grid-container .thumbnail-lg img`);
                const small = document.querySelectorAll(`#${id} .thumbnail-small img`);
                const now = Array.from(small.length ? small : items, each => each.src);
                return now.length === count && now.every(each => !before.includes(each));
            }""",
            arg=[f"{self.tab}_gallery", count + 1 if count > 1 else 1, before],
            timeout=GENERATION_MS,
        )
        # It is above the gallery, which moves up when it goes.
        expect(results.locator(".progressDiv")).to_have_count(0, timeout=GENERATION_MS)

    def select(self, index: int) -> None:
        """Selects a picture in the preview; index 0 is the grid, if there is one."""
        self.pictures.nth(index).click()
        expect(self.pictures.nth(index)).to_contain_class("selected")

    def close_preview(self) -> None:
        """Leaves the preview, so that nothing is selected."""
        self.gallery.get_by_label(re.compile("^(Clear|Close)$")).click()
        expect(self.gallery.locator(".preview")).to_have_count(0)

    def press(self, thumb: str) -> None:
        """Presses 'like' or 'dislike'."""
        self.own(thumb).click()

    def rate(self, index: int, thumb: str) -> None:
        """Selects a picture, presses a thumb and waits for the mark to change."""
        before = self.marks()[index]
        self.select(index)
        self.press(thumb)
        is_undo = before == f"{thumb}d"
        self.expect_mark(index, "" if is_undo else f"{thumb}d")

    def press_on_thumbnail(self, index: int, name: str) -> None:
        """Moves the pointer onto a thumbnail of the strip and presses one of its thumbs."""
        self.pictures.nth(index).hover()
        self.thumbnail_thumbs.locator(f"[data-to={name}]").click()

    def open_viewer(self) -> None:
        """Opens the selected picture in the host's full-size viewer."""
        # Before the host has prepared it, a press goes to the next picture instead.
        expect(self.large).to_have_attribute("data-modded", "true")
        self.large.click()
        expect(self.viewer).to_be_visible()

    def press_in_viewer(self, name: str) -> None:
        """Presses a thumb in the viewer."""
        self.viewer_thumbs.locator(f"[data-to={name}]").click()

    def tiles(self, name: str) -> Locator:
        """The pictures in the list 'liked' or 'disliked'."""
        return self.lists.locator(f"[data-to={name}] .fabric-picture")

    def press_on_tile(self, name: str, index: int, do: str) -> None:
        """Presses a button that appears when the pointer is on a picture in a list."""
        tile = self.tiles(name).nth(index)
        tile.hover()
        tile.locator(f"[data-do={do}]").click()

    def clear(self, name: str) -> None:
        """Presses a list's Clear."""
        self.lists.locator(f"[data-do=clear][data-to={name}]").click()

    def clear_all(self) -> None:
        """Empties both lists."""
        for name in ("liked", "disliked"):
            button = self.lists.locator(f"[data-do=clear][data-to={name}]")
            if button.is_visible():
                button.click()
                expect(self.tiles(name)).to_have_count(0, timeout=ANSWER_MS)

    def choose_files(self, name: str, files: Sequence[Path]) -> None:
        """Chooses files in the dialog that a list's drop zone opens."""
        with self.page.expect_file_chooser() as chooser:
            self.drop_zone(name).click()
        chooser.value.set_files([str(each) for each in files])

    def drop_zone(self, name: str) -> Locator:
        """The drop zone of a list."""
        return self.lists.locator(f"[data-do=choose][data-to={name}]")

    def marks(self) -> list[str]:
        """The mark of every picture in the gallery: 'liked', 'disliked' or ''."""
        marks = "items => items.map(each => each.dataset.fabricMark || '')"
        return self.pictures.evaluate_all(marks)

    def expect_mark(self, index: int, mark: str) -> None:
        """Waits until a picture in the gallery is marked so ('' for not at all)."""
        if mark:
            expect(self.pictures.nth(index)).to_have_attribute(
                "data-fabric-mark", mark, timeout=ANSWER_MS
            )
        else:
            unmarked = self.gallery.locator(
                f".thumbnails > .thumbnail-small:nth-child({index + 1}):not([data-fabric-mark])"
            )
            expect(unmarked).to_have_count(1, timeout=ANSWER_MS)

    def expect_lists(self, liked: int, disliked: int) -> None:
        """Waits until the lists hold that many pictures and the title says so."""
        expect(self.tiles("liked")).to_have_count(liked, timeout=ANSWER_MS)
        expect(self.tiles("disliked")).to_have_count(disliked, timeout=ANSWER_MS)
        badges = ([f"{liked} 👍"] if liked else []) + ([f"{disliked} 👎"] if disliked else [])
        expect(self.own("counts").locator(".fabric-count")).to_have_text(badges)

    def list_text(self, name: str) -> str:
        """A list as the hidden field holds it: ids and weights."""
        return self.own(name).locator("textarea").input_value()

    def expect_short_ids(self, name: str) -> None:
        """Waits until a hidden field holds ids as infotext has them."""
        expect(self.own(name).locator("textarea")).to_have_value(re.compile(r"^[0-9a-f]{16}\b"))

    def expect_whole_ids(self, name: str) -> None:
        """Waits until a hidden field holds ids as an answer has them."""
        box = self.own(name).locator("textarea")
        expect(box).to_have_value(re.compile(r"^[0-9a-f]{64}\b"), timeout=ANSWER_MS)

    def weigh(self, name: str, index: int, weight: str) -> None:
        """Types a weight into the field on a picture in a list."""
        tile = self.tiles(name).nth(index)
        tile.hover()
        tile.locator(".fabric-weight input").fill(weight)
        tile.locator(".fabric-weight input").press("Enter")

    def undo(self) -> None:
        """Presses Undo."""
        self.lists.locator("[data-do=undo]").click()

    def open_panel(self, name: str) -> Locator:
        """Opens 'history' or 'presets'; returns what is in it."""
        self.own(f"{name}_panel").locator("> .label-wrap").click()
        return self.own(name)

    def expect_note(self, text: str) -> None:
        """Waits for the message line."""
        expect(self.note).to_contain_text(text, timeout=ANSWER_MS)

    def _title(self) -> Locator:
        return self.page.locator(f"#{self.tab}_fabric_accordion > .label-wrap")

    def _addresses(self) -> list[str]:
        return self.gallery.locator("img").evaluate_all("all => all.map(each => each.src)")

    def _set_number(self, elem_id: str, value: int) -> None:
        box = self.page.locator(f"#{elem_id} input[type=number]")
        box.fill(str(value))
        box.blur()

    def _close_toasts(self) -> None:
        # At once, since a toast goes by itself as well.
        close = "buttons => buttons.forEach(each => each.click())"
        self.page.locator(".toast-close").evaluate_all(close)
