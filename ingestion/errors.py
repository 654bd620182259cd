"""What can go wrong in a way that its user can mend.

Each message states the rule, the value and the remedy, so that it can be shown as it is.
"""


class Problem(Exception):
    """Something the user can mend; the command line ends with 1 and shows the message alone."""


class UsageProblem(Problem):
    """A command that cannot be meant; the command line ends with 2."""


class DataError(Problem):
    """Data that breaks its contract; the command line ends with 4."""
