"""Graders, each with three outcomes, and the rubric that makes one reward of them."""
