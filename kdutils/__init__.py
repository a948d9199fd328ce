"""The package behind the book: rank augmentations for a teacher, distil students, test the claims."""

from kdutils import _torchvision  # noqa: F401  (first: it lets torchvision import beside a CPU-only torch)

__version__ = "0.1.0"
