"""The course: assignments for nbgrader, what students hand in, and its grading."""
