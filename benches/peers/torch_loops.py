"""What people write themselves: loops of torch operations, plain and compiled."""

import torch

from registry import DEVICE, solver

TORCH = f"torch {torch.__version__}"

# Iterations between two looks at the error.
EVERY = 10

# Rows of the panels that points are compared in.
PANEL = 512


def tensors(case):
    return [torch.from_numpy(array).to(DEVICE) for array in (case.costs, *case.weights)]


def log_iteration(scaled, log_a, log_b, g):
    """A row update, then a column update; potentials are those over epsilon, weights inside."""
    f = log_a - torch.logsumexp(scaled + g[:, None, :], 2)
    return f, log_b - torch.logsumexp(scaled + f[:, :, None], 1)


def log_domain(iteration):
    def prepare(case):
        costs, a, b = tensors(case)

        def run():
            scaled = costs / -case.epsilon
            log_a, log_b = a.log(), b.log()
            g = torch.zeros_like(b)
            for step in range(case.most_iterations()):
                before = g
                f, g = iteration(scaled, log_a, log_b, g)
                if case.tolerance and step % EVERY == EVERY - 1:
                    # Rows were right with the potentials before this column update.
                    off = (b * (before - g).exp() - b).abs().sum(1).max()
                    if off <= case.tolerance:
                        break
            plan = (scaled + f[:, :, None] + g[:, None, :]).exp()
            return (plan * costs).sum((1, 2)).cpu().numpy()

        return run

    return prepare


solver("torch log loop", TORCH, "entropic", device=DEVICE)(log_domain(log_iteration))
solver("torch.compile log loop", TORCH, "entropic", device=DEVICE)(
    log_domain(torch.compile(log_iteration, dynamic=False))
)


@solver("torch bmm scaling loop", TORCH, "entropic", form="kernel", device=DEVICE)
def scaling(case):
    costs, a, b = tensors(case)
    a, b = a[:, :, None], b[:, :, None]

    def run():
        kernel = torch.exp(-costs / case.epsilon)
        transposed = kernel.transpose(1, 2).contiguous()
        v = torch.ones_like(b)
        for step in range(case.most_iterations()):
            u = a / torch.bmm(kernel, v)
            sums = torch.bmm(transposed, u)
            if case.tolerance and step % EVERY == EVERY - 1:
                if (v * sums - b).abs().sum(1).max() <= case.tolerance:
                    break
            v = b / sums
        return (u * kernel * v.transpose(1, 2) * costs).sum((1, 2)).cpu().numpy()

    return run


@solver("torch chunked log loop", TORCH, "points", device=DEVICE)
def chunked(case):
    x, y = (torch.from_numpy(array).to(DEVICE) for array in case.points)

    def scaled(x, y):
        return (x @ y.T - 1.0) / case.epsilon

    def update(x, y, g):
        """Potentials of `x` over epsilon, for uniform weights that are inside."""
        panels = [torch.logsumexp(scaled(panel, y) + g, 1) for panel in x.split(PANEL)]
        return -torch.cat(panels) - torch.log(torch.tensor(float(len(x))))

    def run():
        g = torch.zeros_like(y[:, 0])
        for step in range(case.most_iterations()):
            f = update(x, y, g)
            before, g = g, update(y, x, f)
            if case.tolerance and step % EVERY == EVERY - 1:
                if ((before - g).exp() - 1).abs().mean() <= case.tolerance:
                    break
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        for panel, potential in zip(x.split(PANEL), f.split(PANEL)):
            exponent = scaled(panel, y)
            total += ((exponent + potential[:, None] + g).exp() * exponent).sum()
        return (total * -case.epsilon).cpu().numpy()

    return run
