"""The book: its notebooks, its pages, its course. Empty, as Sphinx loads three of these modules as extensions."""
