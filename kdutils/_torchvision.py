"""Lets `import torchvision` succeed where a CPU-only torch meets a CUDA-built torchvision.

That torchvision registers meta kernels for two operators whose schemas live in its compiled library, which does not
load without CUDA; the import then stops with "operator torchvision::nms does not exist". Defining the two schemas
first lets it go on. Nothing here calls either operator. Where torchvision is whole, this module does nothing.

Importing this module costs nothing: it only waits for torchvision to be imported.
"""

import importlib.util
import sys
from pathlib import Path


class BeforeTorchvision:
    """A finder that finds nothing: asked for torchvision for the first time, it defines what may be missing."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> None:
        """Leave every module to the other finders."""
        if name == "torchvision":
            sys.meta_path.remove(cls)
            if not compiled_library_loads():
                define_schemas()


def compiled_library_loads() -> bool:
    """True if torchvision's own operators can be loaded, so that nothing has to be defined for it."""
    import torch

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


def define_schemas() -> None:
    """Define the two operators' schemas for as long as the process lives."""
    import torch

    global _SCHEMAS  # a Library's definitions live as long as the object does
    _SCHEMAS = torch.library.Library("torchvision", "DEF")
    _SCHEMAS.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _SCHEMAS.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


if "torchvision" not in sys.modules:
    sys.meta_path.insert(0, BeforeTorchvision)
