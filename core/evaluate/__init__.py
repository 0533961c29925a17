"""Figures of merit: labels, tags and calibration, ranked lists, generated texts, people's ratings, and their intervals.

Knows numbers and strings; nothing of encoders or apps. Files are read in `human_file` and `text_file`, written in
`ratings` and `reliability`, and nowhere else.
"""
