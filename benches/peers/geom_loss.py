"""GeomLoss on torch: the batch solver of 0.3, and the loop of older versions without annealing."""

import geomloss
import torch

from registry import DEVICE, solver

# It looks at no error on its way.
FIXED = ["iterations"]

GEOMLOSS = f"GeomLoss {geomloss.__version__}, torch {torch.__version__}"

try:
    from geomloss import ot
except ImportError:
    ot = None

try:
    from geomloss._legacy.sinkhorn_divergence import log_weights, sinkhorn_loop
    from geomloss._legacy.sinkhorn_samples import softmin_tensorized
except ImportError:
    from geomloss.sinkhorn_divergence import log_weights, sinkhorn_loop
    from geomloss.sinkhorn_samples import softmin_tensorized


def tensors(case):
    return [torch.from_numpy(array).to(DEVICE) for array in (case.costs, *case.weights)]


if ot is not None:

    @solver("GeomLoss solve_batch", GEOMLOSS, "entropic", "unbalanced", device=DEVICE, stops=FIXED)
    def batch(case):
        costs, a, b = tensors(case)

        def run():
            solved = ot.solve_batch(
                costs, reg=case.epsilon, a=a, b=b, unbalanced=case.rho, max_iter=case.iterations
            )
            return (solved.plan * costs).sum((1, 2)).cpu().numpy()

        return run


@solver("GeomLoss tensorized loop", GEOMLOSS, "entropic", "unbalanced", device=DEVICE, stops=FIXED)
def loop(case):
    costs, a, b = tensors(case)

    def run():
        log_a, log_b = log_weights(a), log_weights(b)
        _, _, g, f = sinkhorn_loop(
            softmin_tensorized,
            [log_a],
            [log_b],
            None,
            None,
            [costs],
            [costs.transpose(1, 2).contiguous()],
            [case.epsilon] * case.iterations,
            case.rho,
            debias=False,
        )
        exponent = (f[:, :, None] + g[:, None, :] - costs) / case.epsilon
        plan = a[:, :, None] * b[:, None, :] * exponent.exp()
        return (plan * costs).sum((1, 2)).cpu().numpy()

    return run
