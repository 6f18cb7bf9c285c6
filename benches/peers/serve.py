"""Solvers that people use today, one answer a line.

Started by `optical-bench ot --peers PYTHON`. The first line written lists the solvers whose libraries
are installed. Each line read asks to prepare a solver for a case, or to run the one prepared; a run
is answered by the times from the costs in memory to the transport costs of all problems.
"""

import importlib
import json
import os
import sys
import time
import warnings

import numpy as np

import registry

LIBRARIES = ["pot", "ott_jax", "geom_loss", "torch_loops", "scipy_lap"]


def load():
    for library in LIBRARIES:
        try:
            importlib.import_module(library)
        except ImportError as error:
            print(f"{library}: {error}", file=sys.stderr)


def answer(question, prepared):
    name = question["solver"]
    if "case" in question:
        key = (json.dumps(question["case"]), json.dumps(question["arrays"]))
        if prepared.get("key") != key:
            prepared.clear()
            prepared["key"] = key
            prepared["case"] = registry.Case(question["case"], question["arrays"])
        # Conversion happens here, before any clock starts.
        prepared[name] = registry.SOLVERS[name][1](prepared["case"])
        return {"prepared": True}
    run = prepared[name]
    wall, processor = time.perf_counter(), time.process_time()
    found = run()
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    if not np.all(np.isfinite(found)):
        raise ArithmeticError("a transport cost is not finite")
    values = [float(value) for value in np.ravel(found)]
    return {"processor": processor, "wall": wall, "values": values}


def main():
    # Answers have a channel of their own: libraries may print.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    load()
    listed = [about for about, _ in registry.SOLVERS.values()]
    print(json.dumps(listed), file=channel, flush=True)
    prepared = {}
    for line in sys.stdin:
        try:
            answered = answer(json.loads(line), prepared)
        except Exception as error:  # whatever a peer raises is its answer
            answered = {"unable": f"{type(error).__name__}: {error}"}
        print(json.dumps(answered), file=channel, flush=True)


main()
