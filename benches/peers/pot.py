"""POT: batches on torch, loops over problems on numpy, lazy blocks, network simplex."""

import numpy as np
import ot

from registry import DEVICE, solver

POT = f"POT {ot.__version__}, numpy {np.__version__}"

# POT compares the L2 norm of one marginal, which is below the L1 norm that a case names.
L2 = 0.4


def tolerance(case):
    return L2 * case.tolerance if case.tolerance else 0.0


def over(case, solve):
    problems = list(case.problems())
    return lambda: np.array([solve(*problem) for problem in problems])


@solver("POT sinkhorn loop, numpy", POT, "entropic", form="kernel")
def kernel_loop(case):
    def solve(costs, a, b):
        plan = ot.sinkhorn(
            a,
            b,
            costs,
            case.epsilon,
            method="sinkhorn",
            numItermax=case.most_iterations(),
            stopThr=tolerance(case),
            warn=False,
        )
        return np.sum(plan * costs)

    return over(case, solve)


@solver("POT sinkhorn_unbalanced loop", POT, "unbalanced", form="kernel")
def unbalanced_loop(case):
    def solve(costs, a, b):
        plan = ot.unbalanced.sinkhorn_unbalanced(
            a,
            b,
            costs,
            case.epsilon,
            case.rho,
            numItermax=case.most_iterations(),
            # The change of a scaling, in units of the scaling itself.
            stopThr=case.tolerance or 0.0,
        )
        return np.sum(plan * costs)

    return over(case, solve)


@solver("POT emd2 loop", POT, "exact", form="exact")
def exact_loop(case):
    return over(case, lambda costs, a, b: ot.emd2(a, b, costs))


@solver("POT empirical_sinkhorn2 lazy", POT, "points")
def lazy(case):
    x, y = case.points
    run = lambda: ot.bregman.empirical_sinkhorn2(
        x,
        y,
        case.epsilon,
        metric="cosine",
        numIterMax=case.most_iterations(),
        stopThr=case.tolerance or 0.0,
        isLazy=True,
        batchSize=512,
        warn=False,
    )
    return lambda: np.array([run()])


try:
    import torch

    TORCH = f"POT {ot.__version__}, torch {torch.__version__}"
except ImportError:
    TORCH = None


def batch(method):
    def prepare(case):
        costs, a, b = (torch.from_numpy(array).to(DEVICE) for array in (case.costs, *case.weights))

        def run():
            solved = ot.solve_batch(
                costs,
                reg=case.epsilon,
                a=a,
                b=b,
                method=method,
                max_iter=case.most_iterations(),
                tol=tolerance(case),
                grad="detach",
            )
            return solved.value_linear.cpu().numpy()

        return run

    return prepare


if TORCH:
    solver("POT solve_batch log", TORCH, "entropic", device=DEVICE)(batch("log_sinkhorn"))
    solver("POT solve_batch kernel", TORCH, "entropic", form="kernel", device=DEVICE)(
        batch("sinkhorn")
    )
