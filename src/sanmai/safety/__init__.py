"""Instruments that measure what training did: language, thinking and (in files beside) harm. None of them is trained on."""
