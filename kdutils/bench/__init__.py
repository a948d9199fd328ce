"""Speed: the fast paths beside plain ones (`ratios`), how times grow, and what the paper's grid would cost."""

from kdutils.bench import growth, modern, paper_costs, ratios, reference

__all__ = ["growth", "modern", "paper_costs", "ratios", "reference"]
