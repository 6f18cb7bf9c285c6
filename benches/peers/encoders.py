"""Encoders that people use today, one answer a line.

Started by `optical-bench encoder --peers PYTHON`. The first line written lists the programs that are
installed. Each line read asks to prepare a program for a case, or to run it once; a run is answered by
its times and by a number that says what it found.
"""

import json
import os
import sys
import time
import warnings

import numpy as np

THREADS = int(os.environ["OMP_NUM_THREADS"])


def direction(count):
    """The numbers that states are held against, the same as in `benches/src/encoder/case.rs`."""
    return np.cos(np.arange(count, dtype=np.float64)).astype(np.float32)


def ids(case, stride=7919):
    places = np.arange(case["texts"] * case["tokens"], dtype=np.int64)
    return (places * stride % case["vocabulary"]).reshape(case["texts"], case["tokens"])


def checksum(states):
    states = np.asarray(states, dtype=np.float64).ravel()
    return float(states @ direction(states.size).astype(np.float64))


class Torch:
    def __init__(self):
        import torch
        import transformers

        torch.set_num_threads(THREADS)
        transformers.logging.set_verbosity_error()
        self.version = f"torch {torch.__version__}, transformers {transformers.__version__}"

    def model(self, case):
        from transformers import BertModel

        kinds = dict(attn_implementation="sdpa", add_pooling_layer=False)
        return BertModel.from_pretrained(case["folder"], **kinds).eval()

    def prepare(self, case):
        import torch

        model, tokens = self.model(case), torch.from_numpy(ids(case))
        mask = torch.ones_like(tokens)
        if case["pass"] == "forward":

            @torch.inference_mode()
            def forward():
                return model(tokens, mask).last_hidden_state.numpy()

            return forward, checksum
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.01)
        if case["pass"] == "distillation":
            teacher = self.model(case).requires_grad_(False)
            read = torch.from_numpy(ids(case, 6007))

            def loss_of():
                with torch.no_grad():
                    target = unit(teacher(read, mask).last_hidden_state)
                cost = 1.0 - target @ unit(model(tokens, mask).last_hidden_state).transpose(1, 2)
                return (plan(cost.detach(), case) * cost).sum((1, 2)).mean()

            return lambda: step(model, optimiser, loss_of), float
        shape = (case["texts"], case["tokens"], case["hidden"])
        wanted = torch.from_numpy(direction(int(np.prod(shape))).reshape(shape))

        def distance():
            return (model(tokens, mask).last_hidden_state - wanted).square().mean()

        return lambda: step(model, optimiser, distance), float


def unit(vectors):
    return vectors / vectors.norm(dim=-1, keepdim=True)


def plan(cost, case):
    """Plans between uniform weights, by iterations in scaling form: the quickest in torch."""
    kernel = (-cost / case["epsilon"]).exp()
    rows, columns = 1.0 / cost.shape[1], 1.0 / cost.shape[2]
    u = kernel.new_ones(*cost.shape[:2], 1)
    for _ in range(case["iterations"]):
        v = columns / (kernel.transpose(1, 2) @ u)
        u = rows / (kernel @ v)
    return u * kernel * v.transpose(1, 2)


def step(model, optimiser, loss_of):
    import torch

    optimiser.zero_grad(set_to_none=True)
    loss = loss_of()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    return loss.item()


class Onnx:
    def __init__(self):
        import onnx
        import onnxruntime

        self.torch = Torch()
        self.version = f"onnxruntime {onnxruntime.__version__}"
        del onnx

    def prepare(self, case):
        import onnxruntime
        import torch

        if case["pass"] != "forward":
            raise NotImplementedError("onnxruntime infers only")
        model, tokens = self.torch.model(case), torch.from_numpy(ids(case))
        mask = torch.ones_like(tokens)
        path = os.path.join(case["folder"], "model.onnx")
        names = dict(input_names=["ids", "mask"], output_names=["states"])
        axes = {name: {0: "texts", 1: "tokens"} for name in ("ids", "mask", "states")}
        # The pooled vector of a bare BERT is left out of the graph.
        bare = torch.nn.Module()
        bare.model = model
        bare.forward = lambda tokens, mask: bare.model(tokens, mask).last_hidden_state
        torch.onnx.export(
            bare, (tokens, mask), path, dynamic_axes=axes, dynamo=False, **names
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        # Spinning threads would count as work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        fed = {"ids": tokens.numpy(), "mask": mask.numpy()}
        return lambda: session.run(None, fed)[0], checksum


def main():
    # Answers have a channel of their own: libraries may print.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    programs = {}
    for name, kind in [("PyTorch", Torch), ("onnxruntime", Onnx)]:
        try:
            programs[name] = kind()
        except ImportError as error:
            print(f"{name}: {error}", file=sys.stderr)
    listed = [{"name": name, "version": program.version} for name, program in programs.items()]
    print(json.dumps(listed), file=channel, flush=True)
    prepared = {}
    for line in sys.stdin:
        question = json.loads(line)
        name = question["program"]
        try:
            if "case" in question:
                prepared.pop(name, None)
                prepared[name] = programs[name].prepare(question["case"])
                answer = {"prepared": True}
            else:
                run, value = prepared[name]
                wall, processor = time.perf_counter(), time.process_time()
                found = run()
                processor, wall = time.process_time() - processor, time.perf_counter() - wall
                answer = {"processor": processor, "wall": wall, "value": value(found)}
        except Exception as error:  # whatever a program raises is its answer
            answer = {"unable": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=channel, flush=True)


main()
