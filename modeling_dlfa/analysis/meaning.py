"""Whether sentences that mean the same are near each other, whatever their language."""

import numpy as np

from ..tasks.neighbours import nearest


def retrieved(queries: np.ndarray, index: np.ndarray) -> float:
    """Percent of the queries (N, E) whose nearest row of the index (N, E), by cosine, is the one in their place."""
    return 100 * float((nearest(queries, index)[1][:, 0] == np.arange(len(queries))).mean())


def centred(vectors: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Vectors less the mean of others of their language: what all its sentences share is gone.

    Libovický et al. 2020, "On the Language Neutrality of Pre-trained Multilingual Representations", arXiv 2004.05160.

    Args:
        vectors: (N, E).
        of: (M, E), whose mean it is.
    """
    return np.asarray(vectors, dtype=np.float32) - np.asarray(of, dtype=np.float32).mean(axis=0)
