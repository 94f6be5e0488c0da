"""The slice viewer of an open page (see browser.Tab): act, wait until it has drawn, look at its pixels."""

import numpy as np

PICTURE = """panel => {
  const canvas = document.querySelector(`[data-panel=${panel}] .frame:not([hidden]) canvas`);
  const {width, height} = canvas;
  const copy = Object.assign(document.createElement("canvas"), {width, height});
  const context = copy.getContext("2d", {willReadFrequently: true});
  context.drawImage(canvas, 0, 0);
  return {width, height, data: [...context.getImageData(0, 0, width, height).data]};
}"""


def ready(tab):
    tab.run("document.querySelector('button[data-volumes]').parentElement.scrollIntoView()")
    tab.wait("document.querySelector('#viewer').dataset.state === 'ready'")
    tab.wait("document.querySelector('#viewer').dataset.drawn > 0")
    settle(tab)
    drawn_by(tab, lambda: choose_plane(tab, "coronal"))


def choose_plane(tab, plane):
    tab.run(
        """plane => {
          const input = document.querySelector(`[name=plane][value=${plane}]`);
          input.checked = true;
          input.dispatchEvent(new Event("input", {bubbles: true}));
        }""",
        plane,
    )


def drawn_by(tab, action):
    """Act, and wait until the viewer has drawn. What earlier actions have asked it to draw is drawn before."""
    settle(tab)
    before = tab.run("Number(document.querySelector('#viewer').dataset.drawn)")
    action()
    tab.wait(f"document.querySelector('#viewer').dataset.drawn > {before}")
    settle(tab)


def settle(tab):
    """Until no drawing is pending: it happens with the next picture of the screen."""
    tab.run("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


def picture(tab, panel):
    """The pixels (rows, columns, RGB) of a panel."""
    found = tab.run(PICTURE, panel)
    return np.array(found["data"], np.uint8).reshape(found["height"], found["width"], 4)[..., :3]


def pictures(tab):
    return {panel: picture(tab, panel) for panel in ("input", "real", "fake", "error")}


def changed(before, after):
    return {panel for panel in before if not np.array_equal(before[panel], after[panel])}


def slide(tab, name, value):
    set_value = "([name, value]) => { const input = document.querySelector(`[name=${name}]`); input.value = value;"
    tab.run(set_value + " input.dispatchEvent(new Event('input', {bubbles: true})); }", [name, str(value)])


def slice_now(tab):
    return tab.run("Number(document.querySelector('[name=slice]').value)")
