"""Reference values from PyTorch (torch 2.15, CPU, float64) for the update rules and for the
gradients of small networks. Lion, which PyTorch lacks, follows its paper's algorithm. Writes optimizers.json and gradients.json beside itself."""

import json
import math
from pathlib import Path

import torch

torch.set_default_dtype(torch.float64)
HERE = Path(__file__).parent
STEPS = 20
WEIGHTS, BIASES = 6, 3


def start(count, phase):
    return torch.tensor([math.sin(1.7 * i + phase) for i in range(count)])


def slopes(count):
    return torch.tensor([0.5 + 0.25 * (i % 4) for i in range(count)])


def gradient(x, step):
    """Of a quadratic bowl whose centre moves a little at each step."""
    count = x.numel()
    centre = torch.tensor([0.3 * math.cos(2.1 * i + 0.4 * step) for i in range(count)])
    return slopes(count) * (x - centre)


def rates(step):
    return [0.05 * (1 + 0.5 * math.sin(step)), 0.02 * (1 + 0.1 * step)]


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2, in its own letters."""

    def __init__(self, groups, lr, betas):
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            eta, lam = group["lr"], group["weight_decay"]
            beta1, beta2 = group["betas"]
            for theta in group["params"]:
                g = theta.grad
                m = self.state[theta].setdefault("m", torch.zeros_like(theta))
                c = beta1 * m + (1 - beta1) * g
                theta -= eta * (torch.sign(c) + lam * theta)
                m.copy_(beta2 * m + (1 - beta2) * g)


def run(kind, weight_decay, momentum, clip=None, moving=False, bias_decay=0.0):
    w = start(WEIGHTS, 0.0).requires_grad_()
    b = start(BIASES, 0.5).requires_grad_()
    groups = [{"params": [w], "weight_decay": weight_decay}, {"params": [b], "weight_decay": bias_decay}]
    if kind in ("sgd", "nesterov"):
        optimizer = torch.optim.SGD(groups, lr=0.1, momentum=momentum, nesterov=kind == "nesterov")
    elif kind == "rms_prop":
        optimizer = torch.optim.RMSprop(groups, lr=0.1, alpha=0.99, eps=1e-8, momentum=momentum)
    elif kind == "adagrad":
        optimizer = torch.optim.Adagrad(groups, lr=0.1, eps=1e-10)
    elif kind == "lion":
        optimizer = Lion(groups, lr=0.1, betas=(momentum, 0.99))
    else:
        rule = {"adam": torch.optim.Adam, "adam_w": torch.optim.AdamW}[kind]
        optimizer = rule(groups, lr=0.1, betas=(momentum, 0.999), eps=1e-8)
    momenta, trace = [], []
    for step in range(STEPS):
        now = momentum - 0.01 * step if moving else momentum
        momenta.append(now)
        for group, lr in zip(optimizer.param_groups, rates(step)):
            group["lr"] = lr
            if "betas" in group:
                group["betas"] = (now, group["betas"][1])
            elif "momentum" in group:
                group["momentum"] = now
        w.grad = gradient(w.detach(), step)
        b.grad = gradient(b.detach(), step)
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([w, b], clip)
        optimizer.step()
        trace.append(w.tolist() + b.tolist())
    return {
        "kind": kind,
        "weight_decay": weight_decay,
        "bias_decay": bias_decay,
        "clip": clip,
        "rates": [rates(step) for step in range(STEPS)],
        "momenta": momenta,
        "trace": trace,
    }


optimizers = {
    "sgd": run("sgd", 0.0, 0.0),
    "sgd with decay": run("sgd", 0.1, 0.0),
    "momentum": run("sgd", 0.1, 0.9),
    "momentum, moving": run("sgd", 0.0, 0.95, moving=True),
    "nesterov": run("nesterov", 0.1, 0.9),
    "adam": run("adam", 0.0, 0.9),
    "adam with decay": run("adam", 0.1, 0.9),
    "adam, moving": run("adam", 0.0, 0.95, moving=True),
    "adamw": run("adam_w", 0.1, 0.9),
    "decay of its own for biases": run("adam_w", 0.1, 0.9, bias_decay=0.3),
    "rmsprop": run("rms_prop", 0.0, 0.0),
    "rmsprop with momentum and decay": run("rms_prop", 0.1, 0.9),
    "rmsprop, moving": run("rms_prop", 0.0, 0.95, moving=True),
    "adagrad": run("adagrad", 0.0, 0.0),
    "adagrad with decay": run("adagrad", 0.1, 0.0),
    "lion": run("lion", 0.0, 0.9),
    "lion with decay": run("lion", 0.1, 0.9),
    "lion, moving": run("lion", 0.0, 0.95, moving=True),
    "clipped": run("sgd", 0.0, 0.9, clip=0.5),
}
(HERE / "optimizers.json").write_text(json.dumps(optimizers, indent=1) + "\n")


def network(activation, outputs, smoothing, class_weights=None, kind="squared"):
    widths = [4, 5, 3, outputs]
    shapes = list(zip(widths, widths[1:]))
    count = sum(i * o for i, o in shapes)
    weights = torch.tensor([0.9 * math.sin(1.3 * i + 0.2) for i in range(count)]).requires_grad_()
    biases = torch.tensor([0.3 * math.cos(0.7 * i) for i in range(sum(widths[1:]))]).requires_grad_()
    x = torch.tensor([[math.sin(0.9 * r + 1.1 * c) for c in range(4)] for r in range(6)])
    apply = {
        "relu": torch.relu,
        "gelu": lambda z: torch.nn.functional.gelu(z, approximate="tanh"),
        "tanh": torch.tanh,
    }[activation]
    at_w, at_b = 0, 0
    for layer, (i, o) in enumerate(shapes):
        w = weights[at_w : at_w + i * o].reshape(i, o)
        x = x @ w + biases[at_b : at_b + o]
        at_w, at_b = at_w + i * o, at_b + o
        if layer + 1 < len(shapes):
            x = apply(x)
    if outputs > 1:
        labels = torch.tensor([r % outputs for r in range(6)])
        balance = class_weights and torch.tensor(class_weights)
        loss = torch.nn.functional.cross_entropy(
            x, labels, weight=balance, label_smoothing=smoothing
        )
    else:
        of = {
            "squared": torch.nn.functional.mse_loss,
            "huber": torch.nn.functional.huber_loss,
            "absolute": torch.nn.functional.l1_loss,
        }[kind]
        loss = of(x[:, 0], torch.tensor([0.2 * r - 0.5 for r in range(6)]))
    loss.backward()
    return {
        "activation": activation,
        "outputs": outputs,
        "smoothing": smoothing,
        "class_weights": class_weights,
        "kind": kind,
        "loss": loss.item(),
        "weights": weights.grad.tolist(),
        "biases": biases.grad.tolist(),
    }


gradients = [
    network(activation, outputs, smoothing, *more)
    for activation in ("relu", "gelu", "tanh")
    for outputs, smoothing, *more in (
        (3, 0.0),
        (3, 0.1),
        (1, 0.0),
        (3, 0.0, [0.5, 2.0, 1.25]),
        (3, 0.1, [0.5, 2.0, 1.25]),
        (1, 0.0, None, "huber"),
        (1, 0.0, None, "absolute"),
    )
]
(HERE / "gradients.json").write_text(json.dumps(gradients, indent=1) + "\n")
