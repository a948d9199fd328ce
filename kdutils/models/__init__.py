"""The zoo: build networks by name, read and write their weights."""

from kdutils.models.base import Features, Network
from kdutils.models.weights import load_weights, save_weights
from kdutils.models.zoo import NETWORKS, build, feature_shapes

__all__ = ["NETWORKS", "Features", "Network", "build", "feature_shapes", "load_weights", "save_weights"]
