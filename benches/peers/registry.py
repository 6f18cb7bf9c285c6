"""Solvers by name, and the cases they are given."""

import os

import numpy as np

# Where torch and jax compute if they can: "cpu" or "cuda".
DEVICE = os.environ.get("OPTICAL_PEERS_DEVICE", "cpu")

SOLVERS = {}


class Case:
    """Problems of one shape and what to do with them, as `benches/src/case.rs` has them."""

    def __init__(self, described, arrays):
        self.count, self.n, self.m = described["count"], described["n"], described["m"]
        self.dtype = np.float32 if described["precision"] == "f32" else np.float64
        task = described["task"]
        self.kind = task["kind"]
        self.epsilon = task.get("epsilon")
        # Strength of the marginals of an unbalanced problem.
        self.rho = task.get("rho")
        stop = task.get("stop", {})
        # A number of full iterations, or the L1 error of the marginals to stop at; the other is None.
        self.iterations = stop.get("iterations")
        self.tolerance = stop.get("tolerance")
        read = {name: np.fromfile(path, dtype="<f8") for name, path in arrays.items()}
        self._arrays = {name: values.astype(self.dtype) for name, values in read.items()}

    @property
    def costs(self):
        """`[count, n, m]`."""
        return self._arrays["costs"].reshape(self.count, self.n, self.m)

    @property
    def weights(self):
        """`[count, n]` and `[count, m]`, zero in padding."""
        a, b = self._arrays["a"], self._arrays["b"]
        return a.reshape(self.count, self.n), b.reshape(self.count, self.m)

    @property
    def points(self):
        """`[n, dimensions]` and `[m, dimensions]`, of length one."""
        x, y = self._arrays["x"], self._arrays["y"]
        return x.reshape(self.n, -1), y.reshape(self.m, -1)

    def most_iterations(self, otherwise=20000):
        return self.iterations or otherwise

    def problems(self):
        """Costs and weights, problem by problem and without padding."""
        for costs, a, b in zip(self.costs, *self.weights):
            rows, columns = np.count_nonzero(a), np.count_nonzero(b)
            yield costs[:rows, :columns], a[:rows], b[:columns]


STOPS = ("iterations", "tolerance")


def solver(name, version, *kinds, form="log", device="cpu", stops=STOPS):
    """Registers a function that takes a case and returns a function without arguments.

    That function is what is timed, after a first call that is not: it returns `<P, C>` of every
    problem as a numpy array. `form` says what a solver iterates on: "log" potentials, a "kernel"
    matrix that may underflow, or nothing, being "exact"; `stops` where an iterative one can stop.
    """

    def register(prepare):
        full_name = name if device == "cpu" else f"{name}, {device}"
        about = dict(name=full_name, version=version, device=device, threads=1, form=form)
        about.update(kinds=kinds, stops=stops)
        SOLVERS[full_name] = (about, prepare)
        return prepare

    return register
