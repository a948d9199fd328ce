"""The box to move: every place of it is the mixed image that CutMix makes, with the teacher's answer to that."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from kdutils.chapters import cutmixpick_explorer
from kdutils.metrics.responses import read_logits, reader


@pytest.fixture(scope="module")
def shown(teacher, digits) -> cutmixpick_explorer.Explorer:
    return cutmixpick_explorer.explorer(teacher, digits, threshold=0.5)


def test_every_box_lies_inside_and_has_the_teacher_s_answer(shown, teacher, digits) -> None:
    under, over = shown.images
    side = under.shape[1]
    assert {box["size"] for box in shown.boxes} == {round(part * side) for part in cutmixpick_explorer.SIZES}
    for box in shown.boxes[:: len(shown.boxes) // 5]:
        inside = torch.zeros(side, side, dtype=torch.bool)
        inside[box["top"] : box["top"] + box["size"], box["left"] : box["left"] + box["size"]] = True
        assert inside.sum() == box["size"] ** 2
        p = read_logits(reader(teacher), digits, torch.where(inside, over, under)[None]).softmax(1)[0]
        assert box["entropy"] == pytest.approx(-(p * p.log()).sum().item(), abs=6e-4)
        name, most = box["classes"][0]
        assert (name, most) == (digits.classes[int(p.argmax())], pytest.approx(p.max().item(), abs=6e-4))


def test_the_images_are_of_two_classes_and_travel_in_the_page(shown, digits) -> None:
    page = shown._repr_html_()
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)[1])
    assert data["boxes"] == shown.boxes
    for address, image in zip(data["images"], shown.images, strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))
        assert np.array_equal(pixels, image.expand(3, -1, -1).permute(1, 2, 0).numpy())
    assert "http" not in page


def test_a_class_s_name_cannot_end_the_script(shown) -> None:
    bad = shown._replace(boxes=[{**shown.boxes[0], "classes": [["</script><b>", 1.0]]}])
    assert "</script><b>" not in bad._repr_html_()
