"""Near-duplicates among many texts, by MinHash: memory and time grow with the number of texts, not with its square.

Shape key: S runs of words of a text, H hash functions.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import defaultdict

import numpy as np

_WORDS_PER_RUN = 5
_NUM_HASHES = 128
_ROWS_PER_BAND = 4
"""Texts are compared when 4 hashes in a row agree: of pairs that share half, 1 - (1 - 0.5^4)^32 = 87 % are; of 0.8, all."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


class NearDuplicates:
    """The texts seen so far; a new one is compared with those of other owners.

    The share is an estimate from 128 hashes, with a standard error of at most 0.045.

    Source:
        Broder 1997, "On the resemblance and containment of documents": the share of equal minima estimates Jaccard.
    """

    def __init__(self, share: float) -> None:
        """Args:
        share: Jaccard similarity (0..1) of their sets of runs of 5 words from which on two texts are near-duplicates.
        """
        self.share = share
        self._signatures: list[np.ndarray] = []
        self._names: list[tuple[str, str]] = []
        self._bands: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        random = np.random.default_rng(1997)
        self._factor_H = random.integers(1, 2**63, _NUM_HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._offset_H = random.integers(0, 2**63, _NUM_HASHES, dtype=np.uint64)

    def add(self, name: str, text: str, *, owner: str) -> tuple[str, float] | None:
        """The most similar text of another owner, with the share, if that is high enough; else None, and it is remembered."""
        signature_H = self._signature(text)
        keys = [
            (band, signature_H[start : start + _ROWS_PER_BAND].tobytes())
            for band, start in enumerate(range(0, _NUM_HASHES, _ROWS_PER_BAND))
        ]
        candidates = {k for key in keys for k in self._bands.get(key, ()) if self._names[k][1] != owner}
        near = [(float(np.mean(self._signatures[k] == signature_H)), -k) for k in candidates]
        best, k = max(near, default=(0.0, 0))
        if best >= self.share:
            return self._names[-k][0], best
        for key in keys:
            self._bands[key].append(len(self._names))
        self._signatures.append(signature_H)
        self._names.append((name, owner))
        return None

    def _signature(self, text: str) -> np.ndarray:
        """The least hash of the text's runs under each of the functions, uint32 (H,)."""
        words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
        last = max(len(words) - _WORDS_PER_RUN + 1, 1)
        runs = {" ".join(words[k : k + _WORDS_PER_RUN]) for k in range(last)}
        run_S = np.array([zlib.crc32(run.encode("utf-8", "surrogatepass")) for run in sorted(runs)], dtype=np.uint64)
        least_H = np.full(_NUM_HASHES, 2**32 - 1, dtype=np.uint32)
        for start in range(0, len(run_S), 4096):
            part_SH = run_S[start : start + 4096, None] * self._factor_H + self._offset_H  # modulo 2^64
            least_H = np.minimum(least_H, (part_SH >> np.uint64(32)).astype(np.uint32).min(axis=0))
        return least_H
