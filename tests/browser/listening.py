"""Looks at a scrubber in a browser, and listens to what reaches its loudspeakers."""

import numpy as np

RATE = 16000
# Everything that reaches the loudspeakers is written down too.
LISTEN = """
window.heard = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  const live = this.context instanceof AudioContext && !(this instanceof ScriptProcessorNode);
  if (to instanceof AudioDestinationNode && live) {
    const tape = this.context.createScriptProcessor(2048, 1, 1);
    tape.onaudioprocess = (e) => window.heard.push(Array.from(e.inputBuffer.getChannelData(0)));
    window.rate = this.context.sampleRate;
    connect.call(this, tape);
    connect.call(tape, this.context.destination);
  }
  return connect.call(this, to, ...rest);
};
"""
SCRUBBER = "document.querySelector('.its-scrubber').scrubber"


def samples_of(page, step, track="clean"):
    """What the browser decoded for a step, (samples,)."""
    ask = f"([track, step]) => Array.from({SCRUBBER}.frames.get(track).get(step).samples)"
    return np.array(page.evaluate(ask, [track, step]))


def heard(page, milliseconds):
    """Listens for a while: the samples that reached the loudspeakers, and their rate."""
    page.evaluate("window.heard.length = 0")
    page.wait_for_timeout(milliseconds)
    parts, rate = page.evaluate("[window.heard, window.rate]")
    return np.concatenate(parts), rate


def band_share(y, rate, low, high):
    """The part of the energy of `y` between low and high Hz."""
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)))) ** 2
    hertz = np.fft.rfftfreq(len(y), 1 / rate)
    return power[(hertz >= low) & (hertz <= high)].sum() / power.sum()


def pixels(page):
    return page.evaluate(
        """() => { const c = document.querySelector('.its-frame canvas');
        return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data) }"""
    )[::4]


def drag_slider(page, start, end, moves=50, pause=0.0):
    box = page.locator(".its-step").bounding_box()
    x = lambda at: box["x"] + 9 + at * (box["width"] - 18)  # noqa: E731
    page.mouse.move(x(start), box["y"] + box["height"] / 2)
    page.mouse.down()
    for k in range(1, moves + 1):
        page.mouse.move(x(start + (end - start) * k / moves), box["y"] + box["height"] / 2)
        if pause:
            page.wait_for_timeout(pause)
    page.mouse.up()
