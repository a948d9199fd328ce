"""Networks that only predict: frozen, BatchNorm folded into the convolutions, in float32 or bfloat16."""

from kdutils.inference.any_network import AnyNetwork, check_logits, device_of, refuse_infinite
from kdutils.inference.frozen import for_inference, read, reader
from kdutils.inference.precision import PRECISIONS, has_bfloat16, layers_in

__all__ = [
    "PRECISIONS",
    "AnyNetwork",
    "check_logits",
    "device_of",
    "for_inference",
    "has_bfloat16",
    "layers_in",
    "read",
    "reader",
    "refuse_infinite",
]
