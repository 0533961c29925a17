"""Notifications: the words, the formats of the channels with their signatures, and the thread that delivers."""
