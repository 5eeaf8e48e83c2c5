"""Reference values from PyTorch (torch 2.15, CPU, float64) for the update rules and for the
gradients of small networks. Writes optimizers.json, gradients.json and transformers.json beside
itself."""

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


def run(kind, weight_decay, momentum, clip=None, moving=False):
    w = start(WEIGHTS, 0.0).requires_grad_()
    b = start(BIASES, 0.5).requires_grad_()
    groups = [{"params": [w], "weight_decay": weight_decay}, {"params": [b], "weight_decay": 0.0}]
    if kind in ("sgd", "nesterov"):
        optimizer = torch.optim.SGD(groups, lr=0.1, momentum=momentum, nesterov=kind == "nesterov")
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
                group["betas"] = (now, 0.999)
            else:
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
    "clipped": run("sgd", 0.0, 0.9, clip=0.5),
}
(HERE / "optimizers.json").write_text(json.dumps(optimizers, indent=1) + "\n")


def network(activation, outputs, smoothing):
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
        loss = torch.nn.functional.cross_entropy(x, labels, label_smoothing=smoothing)
    else:
        loss = ((x[:, 0] - torch.tensor([0.2 * r - 0.5 for r in range(6)])) ** 2).mean()
    loss.backward()
    return {
        "activation": activation,
        "outputs": outputs,
        "smoothing": smoothing,
        "loss": loss.item(),
        "weights": weights.grad.tolist(),
        "biases": biases.grad.tolist(),
    }


gradients = [
    network(activation, outputs, smoothing)
    for activation in ("relu", "gelu", "tanh")
    for outputs, smoothing in ((3, 0.0), (3, 0.1), (1, 0.0))
]
(HERE / "gradients.json").write_text(json.dumps(gradients, indent=1) + "\n")


def transformer(activation, smoothing):
    vocabulary, context, width, heads, depth, factor = 7, 5, 8, 2, 2, 3
    text = torch.tensor([(i * i + 3 * i + i // 4) % vocabulary for i in range(40)])
    starts = [0, 11, 23]
    tokens = torch.stack([text[s : s + context] for s in starts])
    labels = torch.stack([text[s + 1 : s + 1 + context] for s in starts])
    formulas = {
        "embeddings": lambda i: 0.7 * math.sin(1.1 * i + 0.4),
        "norms": lambda i: 0.6 + 0.5 * math.sin(0.9 * i),
        "weights": lambda i: 0.5 * math.sin(1.3 * i + 0.2),
        "biases": lambda i: 0.3 * math.cos(0.7 * i),
    }
    taken = {name: [] for name in formulas}

    def take(group, *shape):
        at = sum(t.numel() for t in taken[group])
        count = math.prod(shape)
        values = torch.tensor([formulas[group](at + i) for i in range(count)])
        tensor = values.reshape(shape).requires_grad_()
        taken[group].append(tensor)
        return tensor

    def dense(x, outputs):
        weight = take("weights", x.shape[-1], outputs)
        return x @ weight + take("biases", outputs)

    def norm(x):
        gain = take("norms", width)
        return torch.nn.functional.layer_norm(x, (width,), gain, take("norms", width))

    def attention(x):
        split = lambda z: z.reshape(len(starts), context, heads, -1).transpose(1, 2)
        q, k, v = map(split, dense(x, 3 * width).split(width, dim=-1))
        scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
        unseen = torch.ones(context, context).triu(1).bool()
        mixed = scores.masked_fill(unseen, -math.inf).softmax(-1) @ v
        return dense(mixed.transpose(1, 2).reshape(len(starts), context, width), width)

    apply = {
        "relu": torch.relu,
        "gelu": lambda z: torch.nn.functional.gelu(z, approximate="tanh"),
    }[activation]
    x = take("embeddings", vocabulary, width)[tokens] + take("embeddings", context, width)
    for _ in range(depth):
        x = x + attention(norm(x))
        x = x + dense(apply(dense(norm(x), factor * width)), width)
    out = dense(norm(x), vocabulary)
    loss = torch.nn.functional.cross_entropy(
        out.reshape(-1, vocabulary), labels.reshape(-1), label_smoothing=smoothing
    )
    loss.backward()
    return {
        "activation": activation,
        "smoothing": smoothing,
        "loss": loss.item(),
        "gradients": [
            torch.cat([t.grad.reshape(-1) for t in tensors]).tolist() for tensors in taken.values()
        ],
    }


transformers = [transformer("gelu", 0.0), transformer("relu", 0.1)]
(HERE / "transformers.json").write_text(json.dumps(transformers) + "\n")
