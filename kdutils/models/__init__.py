"""The zoo: build networks by name, read and write their weights."""

from kdutils.models.base import Features, Network
from kdutils.models.inference import for_inference
from kdutils.models.pretrained import find_weights, load_pretrained
from kdutils.models.weights import load_weights, save_weights
from kdutils.models.zoo import NETWORKS, build, feature_shapes

__all__ = [
    "NETWORKS",
    "Features",
    "Network",
    "build",
    "feature_shapes",
    "find_weights",
    "for_inference",
    "load_pretrained",
    "load_weights",
    "save_weights",
]
