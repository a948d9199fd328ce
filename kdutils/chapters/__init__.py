"""What single chapters of the book show: their tables, figures and verdicts. A module bears its notebook's name.

Nothing outside this folder imports it; what several chapters or a command need belongs on a floor below.
"""
