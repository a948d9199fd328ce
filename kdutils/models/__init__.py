"""The zoo: build networks by name, read and write their weights."""

from kdutils.models.base import Features, Network
from kdutils.models.outside import OutsideNetwork, in_file, logits_in, normalisation, portable
from kdutils.models.pretrained import find_weights, load_pretrained, weights_sha256
from kdutils.models.weights import load_weights, save_weights
from kdutils.models.zoo import NETWORKS, build, constructor, feature_shapes

__all__ = [
    "NETWORKS",
    "Features",
    "Network",
    "OutsideNetwork",
    "build",
    "constructor",
    "feature_shapes",
    "find_weights",
    "in_file",
    "load_pretrained",
    "load_weights",
    "logits_in",
    "normalisation",
    "portable",
    "save_weights",
    "weights_sha256",
]
