"""A box to move over two images: the teacher's answers to every place and size of it, computed once, shown offline."""

import base64
import html
import io
import json
from importlib.resources import files
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from kdutils import augment
from kdutils.data import Dataset
from kdutils.metrics.responses import read_logits, reader

PLACES = 7  # at most so many places of the box along each side
SIZES = (0.25, 0.5, 0.75)  # sides of the box, in parts of the image's
TOP = 5  # classes whose probabilities are shown


class Explorer(NamedTuple):
    """What the figure shows: the images' pixels, and per box its place, size, entropy and most probable classes."""

    images: tuple[Tensor, Tensor]  # uint8 [3, H, W]: the one underneath, the one in the box
    boxes: list[dict]
    threshold: float

    def _repr_html_(self) -> str:
        """Sliders, the mixed image and the teacher's answer, moved by a script; nothing is asked of any host."""
        data = {"images": [_png(image) for image in self.images], "boxes": self.boxes, "threshold": self.threshold}
        script = files("kdutils.chapters").joinpath("cutmixpick_explorer.js").read_text(encoding="utf-8")
        text = json.dumps(data).replace("<", "\\u003c")  # no text of a class ends the script
        return f'{FRAME}<script type="application/json">{text}</script><script>{script}</script></div>'


FRAME = """<div class="explorer">
<canvas width="224" height="224" role="img" aria-label="The mixed image; the sliders move the box"></canvas>
<div>
<label>left <input type="range" name="left" min="0" step="1"></label>
<label>top <input type="range" name="top" min="0" step="1"></label>
<label>size <input type="range" name="size" min="0" step="1"></label>
<p aria-live="polite">This figure needs JavaScript.</p>
<ol></ol>
</div>
"""


def explorer(teacher: nn.Module, dataset: Dataset, threshold: float) -> Explorer:
    """The teacher's answers to two test images of different classes under every box.

    `threshold`: the entropy (nats) from which CutMixPick keeps an image, that of a pool.
    """
    images, labels = dataset.test.batch(torch.arange(min(len(dataset.test), 200)))[:2]
    other = int((labels != labels[0]).nonzero()[0])
    under, over = images[0], images[other]
    boxes = [box for size in SIZES for box in _boxes(under.shape[1], size)]
    mixed = torch.stack([_paste(under, over, *box) for box in boxes])
    logits = read_logits(reader(teacher), dataset, mixed)
    told = zip(boxes, augment.entropy(logits).tolist(), logits.softmax(1), strict=True)
    return Explorer((under, over), [_told(box, h, p, dataset.classes) for box, h, p in told], round(threshold, 3))


def _boxes(side: int, size: float) -> list[tuple[int, int, int]]:
    """Top, left and side of every box of a size, in pixels."""
    length = max(1, round(size * side))
    places = sorted({round(float(place)) for place in torch.linspace(0, side - length, PLACES)})
    return [(top, left, length) for top in places for left in places]


def _paste(under: Tensor, over: Tensor, top: int, left: int, length: int) -> Tensor:
    mixed = under.clone()
    rows, columns = slice(top, top + length), slice(left, left + length)
    mixed[:, rows, columns] = over[:, rows, columns]
    return mixed


def _told(box: tuple[int, int, int], entropy: float, p: Tensor, classes: tuple[str, ...]) -> dict:
    best = zip(*(each.tolist() for each in p.topk(min(TOP, len(p)))), strict=True)
    named = [[html.escape(classes[c]), round(q, 3)] for q, c in best]
    return {"top": box[0], "left": box[1], "size": box[2], "entropy": round(entropy, 3), "classes": named}


def _png(image: Tensor) -> str:
    """As an address that holds the image itself."""
    content = io.BytesIO()
    Image.fromarray(image.expand(3, -1, -1).permute(1, 2, 0).numpy()).save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
