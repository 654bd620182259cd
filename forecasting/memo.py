"""What was found out about a panel, kept for the next who asks the same.

It owns how much is kept. What all series do together up to an origin takes a pass over thousands of them, and
every candidate asks for it at the same hundred origins.
"""

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

import numpy as np

MOST = 2**28  # bytes of arrays that are kept; beyond, answers are found anew
Answer = TypeVar("Answer")


class Memo:
    """Answers by question.

    >>> memo = Memo()
    >>> memo.once("length", lambda: 3), memo.once("length", lambda: 4)
    (3, 3)
    """

    def __init__(self) -> None:
        self._answers: dict[Hashable, object] = {}
        self._left = MOST

    def once(self, question: Hashable, find: Callable[[], Answer]) -> Answer:
        """What `find` answers, or what was answered to the same question before; not to be changed."""
        if question in self._answers:
            return cast(Answer, self._answers[question])
        answer = find()
        size = answer.nbytes if isinstance(answer, np.ndarray) else 0
        if size <= self._left:
            self._left -= size
            self._answers[question] = answer
        return answer
