"""The models themselves: gradient boosted trees of scikit-learn, which take a missing value for what it is. The only module that trains.

Who trains or asks does so within `one_thread()`: on shared cores OpenMP's threads wait for each other by spinning (measured: 75 s for 3).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits

from learning.training.labels import DIRECTIONS
from learning.training.plan import LEAST_OF_A_WAY, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Values = NDArray[np.float32]

LEAST_LEAF = 20
LEAST_SHARE = 1e-3  # nothing is said to be impossible


def one_thread() -> AbstractContextManager[Any]:
    """For whatever this thread computes within."""
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="openmp")
    return limits


class TooFew(ValueError):
    """There are not enough rows of at least two directions."""


def direction_head(values: Values, direction: NDArray[np.int8], teach: Any, calibrate: Any, plan: Plan) -> dict[str, Any]:
    """A classifier that learnt from the rows `teach`, believed as far as the rows `calibrate` show (Platt's sigmoid, which needs few rows
    and, where nothing was learnt, says the common rates). A direction too rare to learn keeps its share."""
    seen = [np.bincount(direction[rows], minlength=len(DIRECTIONS)) for rows in (teach, calibrate)]
    classes = [way for way in range(len(DIRECTIONS)) if min(count[way] for count in seen) >= LEAST_OF_A_WAY]
    if len(classes) < 2:
        raise TooFew(f"of two directions at least {LEAST_OF_A_WAY} rows each are needed")
    floor = np.maximum((seen[0] + seen[1] + 1) / (seen[0].sum() + seen[1].sum() + len(DIRECTIONS)), LEAST_SHARE)
    floor[classes] = LEAST_SHARE
    learn, check = (rows & np.isin(direction, classes) for rows in (teach, calibrate))
    columns = telling(values[learn])
    values = values[:, columns]
    trees = HistGradientBoostingClassifier(**_settings(plan, int(learn.sum()))).fit(values[learn], direction[learn])
    calibrated = CalibratedClassifierCV(FrozenEstimator(trees), method="sigmoid").fit(values[check], direction[check])
    sigmoids = calibrated.calibrated_classifiers_[0].calibrators
    slopes, offsets = (np.array([getattr(each, name) for each in sigmoids], dtype=np.float64) for name in ("a_", "b_"))
    return {"trees": trees, "columns": columns, "slopes": slopes, "offsets": offsets, "classes": np.array(classes), "floor": floor}


def mean_head(values: Values, target: Numbers, plan: Plan) -> dict[str, Any]:
    """A regressor of the mean."""
    columns = telling(values)
    trees = HistGradientBoostingRegressor(**_settings(plan, len(values))).fit(values[:, columns], target)
    return {"trees": trees, "columns": columns}


def telling(values: Values) -> NDArray[np.int64]:
    """The columns in which at least two different values were seen; scikit-learn can make nothing of the others, and fails."""
    missing = np.isnan(values)
    low, high = (np.where(missing, end, values) for end in (np.float32(np.inf), np.float32(-np.inf)))
    found = np.flatnonzero(low.min(axis=0, initial=np.inf) < high.max(axis=0, initial=-np.inf))
    if not found.size:
        raise TooFew("no feature has two different values")
    return found


def _settings(plan: Plan, rows: int) -> dict[str, Any]:
    """Without early stopping: its check rows would be drawn at random from among the neighbours of those learnt."""
    return {
        "max_iter": plan.trees,
        "max_leaf_nodes": plan.leaves,
        "learning_rate": plan.rate,
        "max_features": plan.columns,
        "min_samples_leaf": max(LEAST_LEAF, rows // 200),
        "l2_regularization": 1.0,
        "early_stopping": False,
        "random_state": plan.seed,
    }
