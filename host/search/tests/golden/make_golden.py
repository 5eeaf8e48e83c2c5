"""Writes sobol.json and asha.json beside this file from SciPy and NumPy.

    pip install scipy && python make_golden.py
"""

import json
import pathlib

import numpy
from scipy.stats import qmc

HERE = pathlib.Path(__file__).parent


# Unscrambled points, as the integers that a division by 2**32 turns into coordinates.
def sobol_points(dimensions, indices):
    engine = qmc.Sobol(dimensions, scramble=False, bits=32)
    points = []
    for index in indices:
        if index > engine.num_generated:
            engine.fast_forward(index - engine.num_generated)
        scaled = engine.random(1)[0] * 2.0**32
        assert (scaled == scaled.astype(numpy.uint64)).all()
        points.append(scaled.astype(numpy.uint64).tolist())
    return {"dimensions": dimensions, "indices": indices, "points": points}


# The point at 2**k - 1 is the direction number k itself, as Gray code has one bit there.
sobol = [
    sobol_points(1, list(range(64))),
    sobol_points(2, list(range(128))),
    sobol_points(7, list(range(64)) + [2**26 - 1]),
    sobol_points(40, list(range(16)) + [1000, 2**22 - 1]),
    sobol_points(512, [0, 1, 2, 3, 1000, 2**16 - 1, 987654, 2**20 - 1]),
]

# Syne Tune's stopping rung: a value is kept when it is within numpy.quantile, at 1/eta, of all values
# recorded at the rung, itself included. To maximise is to minimise the negated values. Where that
# quantile is a recorded value, (n - 1) / eta being whole, the value is looked up instead, because
# NumPy's interpolation may come out a rounding error below it.
rng = numpy.random.default_rng(7)
asha = []
for eta in [2, 3, 4, 5]:
    for maximize in [False, True]:
        values = rng.integers(0, 40, size=60).astype(float) / 8
        kept = []
        for n in range(1, len(values) + 1):
            seen = -values[:n] if maximize else values[:n]
            whole = (n - 1) % eta == 0
            cutoff = numpy.sort(seen)[(n - 1) // eta] if whole else numpy.quantile(seen, 1 / eta)
            kept.append(bool(seen[-1] <= cutoff))
        asha.append({"eta": eta, "maximize": maximize, "values": values.tolist(), "kept": kept})

for name, rows in [("sobol.json", sobol), ("asha.json", asha)]:
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    (HERE / name).write_text(f"[\n{lines}\n]\n")
