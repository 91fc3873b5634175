"""How alike two languages are in a layer, by the states of the same sentences in both.

Shapes: K languages, N sentences, E size of a vector.
"""

from collections.abc import Sequence

import numpy as np


def alignment(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Linear centred kernel alignment (CKA) of all languages with each other, (K, K).

    Whether sentences that are near each other in one language are so in the other: 1 where one language's vectors are
    the other's, turned, moved and scaled; about 0 where they have nothing in common. Kornblith et al. 2019, arXiv
    1905.00414, with the unbiased estimate of HSIC (Song et al. 2012): the usual one is far above 0 for anything where
    vectors are longer than there are sentences (Murphy et al. 2024, arXiv 2405.01012).

    Args:
        vectors: for each language (N, E), row by row the same sentences; four or more.

    Returns:
        about 0 to 1; a hair below 0 is possible. nan for a language whose sentences are all the same.
    """
    count = len(vectors[0])
    kernels = np.empty((len(vectors), count * count))
    with np.errstate(invalid="ignore", divide="ignore"):
        for place, rows in enumerate(vectors):  # one by one, so that there is no second copy of all
            kernel = _u_centred(rows).ravel()
            kernels[place] = kernel / np.linalg.norm(kernel)
    return kernels @ kernels.T


def _u_centred(rows: np.ndarray) -> np.ndarray:
    """The kernel (N, N) of vectors, so centred that inner products estimate HSIC without bias; no diagonal."""
    rows = np.asarray(rows, dtype=np.float64)
    rows = rows - rows.mean(axis=0)  # changes nothing but rounding
    kernel = rows @ rows.T
    np.fill_diagonal(kernel, 0)
    count = len(rows)
    means = kernel.sum(axis=0) / (count - 2)
    kernel += means.sum() / (count - 1) - means[:, None] - means[None, :]
    np.fill_diagonal(kernel, 0)
    return kernel


def mean_cosine(vectors: Sequence[np.ndarray], around: bool = False) -> np.ndarray:
    """Cosines of the languages' mean vectors with each other, (K, K).

    Args:
        vectors: as for `alignment`.
        around: whether the mean of all languages is taken off first: where all vectors share a large part, as those
            of most encoders do, plain cosines are all about 1.
    """
    means = np.stack([np.asarray(rows, dtype=np.float64).mean(axis=0) for rows in vectors])
    if around:
        means = means - means.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = means / np.linalg.norm(means, axis=1, keepdims=True)
    return means @ means.T


SIMILARITIES = {
    "cka": ("CKA", alignment),
    "cosine": ("cosine of means", mean_cosine),
    "cosine_around": ("cosine of centred means", lambda vectors: mean_cosine(vectors, True)),
}
"""Name in files -> how the page calls it, and what makes it of vectors."""
