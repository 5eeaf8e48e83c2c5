"""Writes directions.rs, the table of Sobol direction numbers, from SciPy's copy of new-joe-kuo-6.

    python make_directions.py > directions.rs

SciPy took the numbers from https://web.maths.unsw.edu.au/~fkuo/sobol/; LICENSE-direction-numbers is
the licence they come under.
"""

import os

import numpy
import scipy.stats

DIMENSIONS = 512

table = numpy.load(os.path.join(os.path.dirname(scipy.stats.__file__), "_sobol_direction_numbers.npz"))
print("//! Direction numbers for the first dimensions of the Sobol sequence: the set new-joe-kuo-6 of")
print("//! S. Joe and F. Y. Kuo, \"Constructing Sobol sequences with better two-dimensional projections\",")
print("//! SIAM J. Sci. Comput. 30 (2008). Copyright (c) 2008, Frances Y. Kuo and Stephen Joe, under the")
print("//! BSD licence in LICENSE-direction-numbers. Written by make_directions.py from SciPy's copy; do")
print("//! not edit.")
print()
print("/// For each dimension the primitive polynomial, its coefficients being the bits of the number, and")
print("/// as many initial numbers m as the polynomial has degrees.")
print("#[rustfmt::skip]")
print("pub(super) static DIRECTIONS: [(u32, &[u32]); %d] = [" % DIMENSIONS)
# The first dimension is van der Corput's sequence: all m are 1, which no recurrence is needed for.
print("    (1, &[]),")
for poly, initial in list(zip(table["poly"], table["vinit"]))[1:DIMENSIONS]:
    degree = int(poly).bit_length() - 1
    print("    (%d, &[%s])," % (poly, ", ".join(str(m) for m in initial[:degree])))
print("];")
