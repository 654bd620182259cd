"""The channels: how a notice leaves the house.

Reading order: sending (what a channel is given and how it says no), secrecy (what is never said), outward
(HTTP that stays out of private networks), then one file per kind, and opening (the right one for a channel).
"""
