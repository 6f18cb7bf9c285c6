"""OTT-JAX, compiled and mapped over a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import ott
from ott.geometry import costs as cost_functions
from ott.geometry import geometry, pointcloud
from ott.problems.linear import linear_problem
from ott.solvers.linear import acceleration, sinkhorn

from registry import DEVICE, solver

OTT = f"OTT-JAX {ott.__version__}, jax {jax.__version__}"


def device():
    """A graphics processor if one is asked for and this jax has it."""
    try:
        return jax.devices("cuda" if DEVICE == "cuda" else "cpu")[0]
    except RuntimeError:
        return jax.devices("cpu")[0]


PLACE = "cpu" if device().platform == "cpu" else "cuda"


def settings(case):
    fixed = case.iterations is not None
    return dict(
        threshold=0.0 if fixed else case.tolerance,
        min_iterations=case.iterations if fixed else 0,
        max_iterations=case.most_iterations(),
        # Looks at the error, which costs as much as half an iteration: none, or every tenth.
        inner_iterations=case.iterations if fixed else 10,
    )


def compiled(function, case, arrays):
    # Doubles are on for a case in doubles alone: where they are on, OTT's accelerations make some
    # whatever the costs are, and fail on the mixture. All solvers of a case have one precision.
    jax.config.update("jax_enable_x64", case.dtype == np.float64)
    arrays = [jax.device_put(array, device()) for array in arrays]
    function = jax.jit(function)
    return lambda: np.asarray(function(*arrays))


def balanced(case):
    def problem(cost, a, b):
        return linear_problem.LinearProblem(geometry.Geometry(cost, epsilon=case.epsilon), a, b)

    return problem


def unbalanced(case):
    tau = case.rho / (case.rho + case.epsilon)

    def problem(cost, a, b):
        # OTT regularises by the entropy of the plan, we by its divergence from the product of the
        # weights; the difference is linear in the plan.
        cost = cost - case.epsilon * (jnp.log(a)[:, None] + jnp.log(b)[None, :])
        geom = geometry.Geometry(cost, epsilon=case.epsilon)
        return linear_problem.LinearProblem(geom, a, b, tau_a=tau, tau_b=tau)

    return problem


def batch(**more):
    def prepare(case):
        solve = sinkhorn.Sinkhorn(**settings(case), **more)
        problem = balanced(case) if case.rho is None else unbalanced(case)

        def one(cost, a, b):
            return jnp.sum(solve(problem(cost, a, b)).matrix * cost)

        return compiled(jax.vmap(one), case, [case.costs, *case.weights])

    return prepare


solver("OTT vmap jit log", OTT, "entropic", "unbalanced", device=PLACE)(batch())
solver("OTT vmap jit kernel", OTT, "entropic", form="kernel", device=PLACE)(batch(lse_mode=False))

# Momentum starts late and adapts itself to the errors seen, as in OTT's tutorial.
ACCELERATIONS = {
    "momentum": dict(momentum=acceleration.Momentum(start=20)),
    "Anderson": dict(anderson=acceleration.AndersonAcceleration(memory=5)),
}
for name, more in ACCELERATIONS.items():
    register = solver(
        f"OTT vmap jit log, {name}", OTT, "entropic", device=PLACE, stops=["tolerance"]
    )
    register(batch(**more))


@solver("OTT PointCloud online", OTT, "points", device=PLACE)
def online(case):
    solve = sinkhorn.Sinkhorn(**settings(case))

    def one(x, y):
        geom = pointcloud.PointCloud(
            x, y, cost_fn=cost_functions.Cosine(), epsilon=case.epsilon, batch_size=512
        )
        solved = solve(linear_problem.LinearProblem(geom))
        return solved.primal_cost

    return compiled(one, case, case.points)
