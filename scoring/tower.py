"""The trained vectors laid out for a corpus: offers row by row, buyers' weights by code."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.artifact import LOW_RANK_ARRAYS, SLIM_ARRAYS, Model
from scoring.corpus import Corpus
from scoring.kernels import BuyerSide
from scoring.offer_features import OfferEncoder
from scoring.rows import OfferRows, extended, no_rows, renumbered

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Tower:
    """Vectors of N offers (see scoring.artifact for z, messages and gain) and the buyer's side.

    ``slim`` holds the learned links between offers, ``low_rank`` (N, r) those of every offer with
    every other as a product: a piece of weight 1 at offer j adds ``low_rank_in[j] * low_rank_out[i]
    * low_rank[j] . low_rank[i]`` at offer i.
    """

    z: Singles
    message1: Singles
    message2: Singles
    gain: Singles
    low_rank: Singles
    low_rank_in: Singles
    low_rank_out: Singles
    slim: OfferRows
    buyer: BuyerSide
    encoder: OfferEncoder | None

    def for_corpus(self, corpus: Corpus) -> Tower:
        """The same for a corpus that has grown: new offers get vectors from their features."""
        start = len(self.gain)
        if len(corpus.offers) == start:
            return self
        if self.encoder is None:
            z, message1, message2, gain = _blank(len(corpus.offers) - start, self.z.shape[1])
        else:
            fresh = np.arange(start, len(corpus.offers))
            z, message1, message2, gain = self.encoder.encode(corpus, fresh)
        return replace(
            self,
            z=np.vstack([self.z, z]),
            message1=np.vstack([self.message1, message1]),
            message2=np.vstack([self.message2, message2]),
            gain=np.concatenate([self.gain, gain]),
            low_rank=_extended(self.low_rank, len(corpus.offers)),
            low_rank_in=_extended(self.low_rank_in, len(corpus.offers)),
            low_rank_out=_extended(self.low_rank_out, len(corpus.offers)),
            slim=extended(self.slim, len(corpus.offers)),
        )


def tower_of(corpus: Corpus, model: Model | None) -> Tower:
    """The model's vectors in the corpus's order; offers it was not trained on are encoded.

    Without a model every vector has 0 dimensions, and every cosine is 0.
    """
    if model is None:
        return _no_tower(corpus)
    arrays = model.arrays
    trained = {key: row for row, key in enumerate(model.offer_ids)}
    source = np.array([trained.get(key, -1) for key in corpus.offers.ids], dtype=np.int64)
    known = source >= 0
    encoder = OfferEncoder.from_arrays(arrays, model.manifest)
    d = arrays["offer_z"].shape[1]
    z, message1, message2, gain = _blank(len(source), d)
    rows = source[known]
    z[known], gain[known] = arrays["offer_z"][rows], arrays["offer_gain"][rows]
    message1[known], message2[known] = arrays["offer_p1"][rows], arrays["offer_p2"][rows]
    if not known.all():
        fresh = np.flatnonzero(~known)
        z[fresh], message1[fresh], message2[fresh], gain[fresh] = encoder.encode(corpus, fresh)
    buyer = BuyerSide(
        kind_h0=_by_code(arrays["kind_h0"], model.manifest["kinds"], corpus.kinds),
        country_h0=_by_code(arrays["country_h0"], model.manifest["countries"], corpus.countries),
        a1=np.ascontiguousarray(arrays["a1"].T),
        a2=np.ascontiguousarray(arrays["a2"].T),
        c1=arrays["c1"],
        c2=arrays["c2"],
        layer_weights=arrays["layer_weights"],
        rectified=model.manifest["activation"] == "relu",
    )
    learned = OfferRows(*(arrays[name] for name in SLIM_ARRAYS))
    number = np.full(len(model.offer_ids), -1, dtype=np.int64)
    number[rows] = np.flatnonzero(known)
    slim = renumbered(learned, number, len(source))
    low_rank, heard, told = (_of_known(arrays[name], source) for name in LOW_RANK_ARRAYS)
    return Tower(z, message1, message2, gain, low_rank, heard, told, slim, buyer, encoder)


def _by_code(rows: Singles, trained: list[str], vocabulary: list[str]) -> Singles:
    number = {value: row + 1 for row, value in enumerate(trained)}
    order = [0, *(number.get(value, 0) for value in vocabulary)]
    return np.ascontiguousarray(rows[order])


def _of_known(rows: Singles, source: NDArray[np.int64]) -> Singles:
    """Rows of the trained offers in the corpus's order, 0 for the others (-1)."""
    found = np.zeros((len(source), *rows.shape[1:]), dtype=np.float32)
    found[source >= 0] = rows[source[source >= 0]]
    return found


def _extended(rows: Singles, count: int) -> Singles:
    """With rows of 0 for new offers."""
    return _of_known(rows, np.pad(np.arange(len(rows)), (0, count - len(rows)), constant_values=-1))


def _blank(count: int, d: int) -> tuple[Singles, Singles, Singles, Singles]:
    def zeros() -> Singles:
        return np.zeros((count, d), dtype=np.float32)

    return zeros(), zeros(), zeros(), np.ones(count, dtype=np.float32)


def _no_tower(corpus: Corpus) -> Tower:
    z, message1, message2, gain = _blank(len(corpus.offers), 0)
    none, square = np.zeros(0, np.float32), np.zeros((0, 0), np.float32)
    side = BuyerSide(
        kind_h0=np.zeros((len(corpus.kinds) + 1, 0), np.float32),
        country_h0=np.zeros((len(corpus.countries) + 1, 0), np.float32),
        a1=square,
        a2=square,
        c1=none,
        c2=none,
        layer_weights=np.zeros(3, np.float32),
        rectified=False,
    )
    low_rank, none_in = np.zeros((len(gain), 0), np.float32), np.zeros(len(gain), np.float32)
    slim = no_rows(len(gain))
    return Tower(z, message1, message2, gain, low_rank, none_in, none_in, slim, side, None)
