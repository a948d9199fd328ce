"""The four sizes of a chapter, told from its parameters (see "Re-run a chapter" in the book)."""

PAPER_EPOCHS = 240


def name(dataset: str, images_per_class: int, epochs: int) -> str:
    """quick, laptop, short or paper: what a student's training with these parameters is called.

    Digits are quick, a few-shot transfer set is laptop, whole datasets are paper from the paper's 240 epochs on and
    else short. `images_per_class` 0 stands for all images.
    """
    if dataset == "digits":
        return "quick"
    if images_per_class:
        return "laptop"
    return "paper" if epochs >= PAPER_EPOCHS else "short"
