"""Volume spike: far more was traded than in the bars before. A rising and a falling bar each have their own spike.

The bar is held against the `volume_window` rows before it, its own volume not among them: ratio to their mean, and z-score, robust
(median and MAD) or plain, as the operator chose. There is one z-score in a record, and this is it. At least 30 % of those rows must hold a
bar with a known volume, and 10. Where those before it do not vary at all there is nothing to measure by, and nothing fires.
"""

from __future__ import annotations

import numpy as np

from learning.indicators import robust_z_at, rolling_mean, shifted, z_score
from tokens.bar_grid import Grid
from trading.thresholds import Thresholds
from trading.triggers.firing import Firing, limit_at, over_limit, places_of, side_of_bar

LEAST_SHARE, LEAST_BARS = 0.3, 10


def firing(grid: Grid, thresholds: Thresholds, first_row: int = 0) -> Firing:
    """The measure is the z-score. Rows before the first are not asked: a robust score is dear."""
    volume, window = grid.volume, thresholds.volume_window
    least = min(window, max(LEAST_BARS, round(LEAST_SHARE * window)))
    usual = shifted(rolling_mean(volume, window, least))
    many = (usual > 0) & (volume >= thresholds.volume_ratio * usual) & np.asarray(thresholds.volume_on)
    many[:first_row] = False
    rows, columns = places_of(many)
    z = robust_z_at(volume, rows, columns, window, least) if thresholds.volume_robust else z_score(volume, window, least)[rows, columns]
    far = z >= limit_at(thresholds.volume_z, volume.shape, (rows, columns))
    places = rows[far], columns[far]
    limit = limit_at(thresholds.volume_z, volume.shape, places)
    return Firing(places, side_of_bar(grid, places), z[far], over_limit(z[far], limit))
