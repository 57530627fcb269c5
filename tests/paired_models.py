"""A teacher and a student that say much the same, and the right answers."""

import numpy as np


def drawn(random, n=600, pos=0.3, shared=0):
    """Labels 0 and 1, and the positive's probability by teacher and student; `shared` by how many are alike."""
    labels = (random.random(n) < pos).astype(int)
    common, own = (
        random.normal(0, size, n) if not shared else random.normal(0, size, -(-n // shared)).repeat(shared)[:n]
        for size in (1.4, 0.6)
    )
    score = 2 * labels - 1 + common
    teacher, student = (1 / (1 + np.exp(-one)) for one in (score, score + own - 0.1))
    return labels, teacher, student
