"""SciPy: linear assignment."""

import numpy as np
import scipy
from scipy.optimize import linear_sum_assignment

from registry import solver

SCIPY = f"SciPy {scipy.__version__}"


@solver("SciPy linear_sum_assignment", SCIPY, "assignment", form="exact")
def assignment(case):
    (costs,) = case.costs

    def run():
        rows, columns = linear_sum_assignment(costs)
        return np.array([costs[rows, columns].sum()])

    return run
