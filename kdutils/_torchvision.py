"""Lets `import torchvision` succeed where a CPU-only torch meets a CUDA-built torchvision.

That torchvision registers meta kernels for two operators whose schemas live in its compiled library, which does not
load without CUDA; the import then stops with "operator torchvision::nms does not exist". Defining the two schemas
first lets it go on. Nothing here calls either operator. Where torchvision is whole, this module does nothing.
"""

import importlib.util
from pathlib import Path

import torch


def _compiled_library_loads() -> bool:
    """True where torchvision's own operators can be loaded, so that nothing has to be defined for it."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return True  # not installed: `import torchvision` gives its own clear error
    libraries = list(Path(found.origin).parent.glob("_C*.*"))
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except OSError:
        return False
    return bool(libraries)


if not _compiled_library_loads():
    # Kept in a global: a Library's definitions live as long as the object does.
    _SCHEMAS = torch.library.Library("torchvision", "DEF")
    _SCHEMAS.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _SCHEMAS.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
