"""Solvers that people use today, one answer a line.

Started by `optical-bench ot --peers PYTHON`. The first line written lists the solvers whose libraries
are installed. Then each line read names a case and a solver, and is answered by the processor time
from the costs in memory to the transport costs of all problems.
"""

import json
import sys
import time

import numpy as np

SOLVERS = {}


def solver(name, version):
    def register(prepare):
        SOLVERS[name] = (version, prepare)
        return prepare

    return register


def iterations(stop, otherwise=20000):
    return stop.get("iterations", otherwise)


try:
    import ot
    import torch

    torch.set_num_threads(1)
    POT = f"POT {ot.__version__}, torch {torch.__version__}"

    def pot_batch(method):
        def prepare(costs, case):
            costs = torch.from_numpy(costs)
            stop = case["stop"]

            def run():
                solved = ot.solve_batch(
                    costs,
                    reg=case["epsilon"],
                    method=method,
                    max_iter=iterations(stop),
                    # POT compares the L2 norm of one marginal; a fixed number never stops.
                    tol=stop.get("tolerance", 0.0) * 0.4,
                    grad="detach",
                )
                return solved.value_linear.numpy()

            return run

        return prepare

    solver("POT solve_batch log", POT)(pot_batch("log_sinkhorn"))
    solver("POT solve_batch kernel", POT)(pot_batch("sinkhorn"))
except ImportError:
    pass

try:
    import jax
    import jax.numpy as jnp
    import ott
    from ott.geometry import geometry
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import acceleration, sinkhorn

    jax.config.update("jax_enable_x64", True)
    OTT = f"OTT-JAX {ott.__version__}, jax {jax.__version__}"

    def ott_batch(lse, momentum=None):
        def prepare(costs, case):
            stop = case["stop"]
            fixed = "iterations" in stop
            settings = dict(
                lse_mode=lse,
                threshold=0.0 if fixed else stop["tolerance"],
                min_iterations=iterations(stop, 0),
                max_iterations=iterations(stop),
                inner_iterations=50 if fixed else 10,
            )
            if momentum is not None:
                settings["momentum"] = momentum
            solve = sinkhorn.Sinkhorn(**settings)

            def one(cost):
                geometry_ = geometry.Geometry(cost_matrix=cost, epsilon=case["epsilon"])
                solved = solve(linear_problem.LinearProblem(geometry_))
                return jnp.sum(solved.matrix * cost)

            batch = jax.jit(jax.vmap(one))
            costs = jnp.asarray(costs)
            batch(costs).block_until_ready()
            return lambda: np.asarray(batch(costs).block_until_ready())

        return prepare

    solver("OTT vmap jit lse", OTT)(ott_batch(True))
    solver("OTT vmap jit kernel", OTT)(ott_batch(False))
    solver("OTT vmap jit lse, momentum", OTT)(ott_batch(True, acceleration.Momentum(start=20)))
except ImportError:
    pass

try:
    import torch

    torch.set_num_threads(1)
    TORCH = f"torch {torch.__version__}"

    @solver("torch bmm scaling, unstable", TORCH)
    def torch_scaling(costs, case):
        costs = torch.from_numpy(costs)
        count, n, m = costs.shape
        stop = case["stop"]

        def run():
            kernel = torch.exp(-costs / case["epsilon"])
            transposed = kernel.transpose(1, 2).contiguous()
            v = torch.ones(count, m, 1, dtype=costs.dtype)
            for step in range(iterations(stop)):
                u = (1.0 / n) / torch.bmm(kernel, v)
                sums = torch.bmm(transposed, u)
                if "tolerance" in stop and step % 10 == 9:
                    if (v * sums - 1.0 / m).abs().sum(1).max() <= stop["tolerance"]:
                        break
                v = (1.0 / m) / sums
            return (u * kernel * v.transpose(1, 2) * costs).sum((1, 2)).numpy()

        return run
except ImportError:
    pass


def main():
    prepared = {}
    print(json.dumps([[name, version] for name, (version, _) in SOLVERS.items()]), flush=True)
    for line in sys.stdin:
        case = json.loads(line)
        key = line
        try:
            if key not in prepared:
                values = np.fromfile(case["values"], dtype="<f8").astype(
                    np.float32 if case["precision"] == "f32" else np.float64
                )
                costs = values.reshape(case["count"], case["n"], case["m"])
                # Compilation and conversion happen here, before the clock starts.
                prepared = {key: SOLVERS[case["solver"]][1](costs, case), **prepared}
            began = time.process_time()
            found = prepared[key]()
            seconds = time.process_time() - began
            if not np.all(np.isfinite(found)):
                raise ArithmeticError("a transport cost is not finite")
            answer = {"seconds": seconds, "values": [float(value) for value in np.ravel(found)]}
        except Exception as error:  # whatever a peer raises is its answer
            answer = {"unable": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
