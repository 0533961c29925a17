"""Figures of merit: labels and calibration, ranked lists, texts, and the report that prints them.

Knows numbers and strings; nothing of encoders, files or apps.
"""
