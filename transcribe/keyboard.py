"""For tests: a person without a mouse. Every step of Tab is looked at: focus must be somewhere, and must be seen."""

from playwright.sync_api import Locator, Page

STEPS = 60
# What focus looks like: an outline on the element or on something around it, inside the window.
FOCUS = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return "nowhere";
    const box = at.getBoundingClientRect();
    const inside = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    if (!inside || !box.width || !box.height) return "outside the window: " + at.outerHTML.slice(0, 200);
    for (let each = at; each && each !== document.body; each = each.parentElement) {
        const style = getComputedStyle(each);
        if (style.opacity === "0" || each.offsetWidth < 8) continue;  // there, but nobody sees it
        if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) return "seen";
    }
    return "without a mark: " + at.outerHTML.slice(0, 200);
}"""


def reach(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab (or Shift+Tab) until `wanted` has the focus. AssertionError where it is never there or cannot be seen.

    Past the last element of a page the focus is the browser's own for one step.
    """
    for _ in range(STEPS):
        if wanted.count() == 1 and wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
        found = page.evaluate(FOCUS)
        assert found in ("seen", "nowhere"), found
    raise AssertionError(f"{STEPS} steps of {key} do not reach {wanted}")


def press(page: Page, wanted: Locator, key: str = "Enter") -> None:
    """Reach something and press it."""
    reach(page, wanted)
    found = page.evaluate(FOCUS)
    assert found == "seen", found
    page.keyboard.press(key)
