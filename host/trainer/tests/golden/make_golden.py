"""Reference values from PyTorch (torch 2.15, CPU, float64) for the update rules, for the gradients
of small networks and of factors beside frozen ones, and for the losses of some while they train.
Lion, which PyTorch lacks, follows its paper's algorithm. Writes optimizers.json, gradients.json,
models.json, adapters.json, transformers.json and traces.json beside itself."""

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


F = torch.nn.functional
ACTIVATIONS = {"relu": torch.relu, "gelu": lambda z: F.gelu(z, approximate="tanh"), "tanh": torch.tanh}


class Numbers:
    """Parameters in the order in which our networks plan them, from a formula for each group. They
    are made when a network first takes them; after `again` it takes the same ones."""

    def __init__(self, start):
        self.start = start
        self.made = {group: [] for group in start}
        self.again()

    def again(self):
        self.taken = dict.fromkeys(self.start, 0)
        self.buffers = []

    def take(self, group, *shape):
        made, at = self.made[group], self.taken[group]
        self.taken[group] += 1
        if at == len(made):
            first = sum(values.numel() for values in made)
            places = range(first, first + math.prod(shape))
            values = torch.tensor([self.start[group](i) for i in places])
            made.append(values.requires_grad_())
        return made[at].reshape(shape)

    def dense(self, x, outputs, bias=True):
        y = x @ self.take("weights", x.shape[-1], outputs)
        return y + self.take("biases", outputs) if bias else y

    def norm(self, x):
        """Of the last dimension; notes the running statistics after one batch."""
        width = x.shape[-1]
        mean, variance = torch.zeros(width), torch.ones(width)
        scale, shift = self.take("norms", width), self.take("norms", width)
        y = F.batch_norm(x.reshape(-1, width), mean, variance, scale, shift, training=True)
        self.buffers += mean.tolist() + variance.tolist()
        return y.reshape(x.shape)

    def layer_norm(self, x):
        width = x.shape[-1]
        scale, shift = self.take("norms", width), self.take("norms", width)
        return F.layer_norm(x, (width,), scale, shift)

    def conv(self, x, outputs, kernel, bias):
        """Of pictures whose channels come last, with weights of (kernel, kernel, in, out)."""
        w = self.take("weights", kernel, kernel, x.shape[-1], outputs).permute(3, 2, 0, 1)
        b = self.take("biases", outputs) if bias else None
        return F.conv2d(x.permute(0, 3, 1, 2), w, b, padding=kernel // 2).permute(0, 2, 3, 1)

    def gradients(self):
        return {
            group: torch.cat([values.grad for values in made]).tolist()
            for group, made in self.made.items()
            if made
        }


class Adapted(Numbers):
    """A frozen base, beside whose weights factors learn; norms have running statistics from a
    formula of their own."""

    RANK, SCALE = 2, 1.5

    def take(self, group, *shape):
        values = super().take(group, *shape)
        if group.startswith("factors"):
            return values
        values = values.detach()
        if group != "weights":
            return values
        a = self.take("factors_a", math.prod(shape[:-1]), self.RANK)
        b = self.take("factors_b", self.RANK, shape[-1])
        return values + self.SCALE * (a @ b).reshape(shape)

    def norm(self, x):
        width, at = x.shape[-1], len(self.buffers)
        scale, shift = self.take("norms", width), self.take("norms", width)
        running = torch.tensor([0.7 + 0.2 * math.sin(0.8 * i) for i in range(at, at + 2 * width)])
        self.buffers += running.tolist()
        return (x - running[:width]) / (running[width:] + 1e-5).sqrt() * scale + shift

    def gradients(self):
        made = {group: made for group, made in self.made.items() if group.startswith("factors")}
        return {
            group: torch.cat([values.grad for values in made]).tolist()
            for group, made in made.items()
        }


def mlp(numbers, x, settings, outputs):
    f = ACTIVATIONS[settings["activation"]]
    for width in settings["hidden"]:
        norm = {"none": None, "batch": numbers.norm, "layer": numbers.layer_norm}[settings["norm"]]
        y = numbers.dense(x, width, bias=not norm)
        y = f(norm(y) if norm else y)
        if settings["residual"]:
            y = y + (numbers.dense(x, width, bias=False) if x.shape[-1] != width else x)
        x = y
    return numbers.dense(x, outputs)


def tabular_resnet(numbers, x, settings, outputs):
    f = ACTIVATIONS[settings["activation"]]
    x = numbers.dense(x, settings["width"])
    for _ in range(settings["blocks"]):
        y = f(numbers.dense(numbers.norm(x), settings["hidden"]))
        x = x + numbers.dense(y, settings["width"])
    return numbers.dense(f(numbers.norm(x)), outputs)


def cnn(numbers, x, settings, outputs):
    f, kernel, norm = ACTIVATIONS[settings["activation"]], settings["kernel"], settings["norm"]

    def conv(x, width):
        y = numbers.conv(x, width, kernel, bias=not norm)
        return numbers.norm(y) if norm else y

    pool = {"max": F.max_pool2d, "average": F.avg_pool2d}[settings["pooling"]]
    for width in settings["channels"]:
        y = conv(x, width)
        if settings["residual"]:
            y = conv(f(y), width)
            y = y + (numbers.dense(x, width, bias=False) if x.shape[-1] != width else x)
        x = pool(f(y).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    x = x.mean((1, 2)) if settings["global_average"] else x.flatten(1)
    if settings["hidden"] is not None:
        x = f(numbers.dense(x, settings["hidden"]))
    return numbers.dense(x, outputs)


def transformer(numbers, tokens, settings, vocabulary):
    f, width, heads = ACTIVATIONS[settings["activation"]], settings["width"], settings["heads"]
    rows, context = tokens.shape

    def attention(x):
        split = lambda z: z.reshape(rows, context, heads, -1).transpose(1, 2)
        q, k, v = map(split, numbers.dense(x, 3 * width).split(width, dim=-1))
        scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
        unseen = torch.ones(context, context).triu(1).bool()
        mixed = scores.masked_fill(unseen, -math.inf).softmax(-1) @ v
        return numbers.dense(mixed.transpose(1, 2).reshape(rows, context, width), width)

    x = numbers.take("embeddings", vocabulary, width)[tokens]
    x = x + numbers.take("embeddings", context, width)
    for _ in range(settings["layers"]):
        x = x + attention(numbers.layer_norm(x))
        y = f(numbers.dense(numbers.layer_norm(x), settings["feed_forward"] * width))
        x = x + numbers.dense(y, width)
    return numbers.dense(numbers.layer_norm(x), vocabulary)


MAKE = {"mlp": mlp, "cnn": cnn, "tabular_resnet": tabular_resnet, "transformer": transformer}


def model(shape, settings, rows=6, classes=3, kind=Numbers):
    """One batch of rows of this shape, whose classes take turns."""
    numbers = kind(
        {
            "weights": lambda i: 0.6 * math.sin(1.3 * i + 0.2),
            "biases": lambda i: 0.3 * math.cos(0.7 * i),
            "norms": lambda i: 0.8 + 0.3 * math.sin(0.5 * i),
            "factors_a": lambda i: 0.4 * math.cos(1.9 * i + 0.1),
            "factors_b": lambda i: 0.5 * math.sin(2.3 * i + 0.6),
        }
    )
    width = math.prod(shape)
    x = [[math.sin(0.9 * r + 1.1 * c) for c in range(width)] for r in range(rows)]
    x = torch.tensor(x).reshape(rows, *shape)
    logits = MAKE[settings["kind"]](numbers, x, settings, classes)
    loss = F.cross_entropy(logits, torch.tensor([r % classes for r in range(rows)]))
    loss.backward()
    return {
        "shape": list(shape),
        "settings": settings,
        "loss": loss.item(),
        "gradients": numbers.gradients(),
        "buffers": numbers.buffers,
    }


def cnn_settings(activation, norm, residual, kernel=3, pooling="max", average=False, hidden=None):
    return {
        "kind": "cnn",
        "channels": [3, 4],
        "kernel": kernel,
        "norm": norm,
        "residual": residual,
        "activation": activation,
        "pooling": pooling,
        "global_average": average,
        "hidden": hidden,
    }


def mlp_settings(activation, norm, residual, hidden=(5, 5, 3)):
    hidden = {"hidden": list(hidden), "activation": activation}
    return {"kind": "mlp", **hidden, "norm": norm, "residual": residual}


PICTURE = (9, 6, 2)
models = [
    model((4,), mlp_settings("gelu", "batch", False)),
    model((4,), mlp_settings("relu", "none", True)),
    model((4,), mlp_settings("tanh", "batch", True)),
    model((4,), mlp_settings("gelu", "layer", True)),
    model(PICTURE, cnn_settings("relu", False, False)),
    model(PICTURE, cnn_settings("gelu", False, False, kernel=5, pooling="average", hidden=5)),
    model(PICTURE, cnn_settings("relu", True, False, average=True)),
    model(PICTURE, cnn_settings("tanh", False, True, kernel=1)),
    model(PICTURE, cnn_settings("gelu", True, True, average=True, hidden=5)),
    model(
        (4,),
        {"kind": "tabular_resnet", "blocks": 2, "width": 5, "hidden": 6, "activation": "gelu"},
    ),
    model(
        (4,),
        {"kind": "tabular_resnet", "blocks": 1, "width": 4, "hidden": 3, "activation": "relu"},
    ),
]
(HERE / "models.json").write_text(json.dumps(models) + "\n")

adapters = [
    model((4,), mlp_settings("gelu", "batch", True), kind=Adapted),
    model((4,), mlp_settings("tanh", "layer", False), kind=Adapted),
    model(PICTURE, cnn_settings("gelu", True, True, hidden=5), kind=Adapted),
    model(PICTURE, cnn_settings("relu", False, False), kind=Adapted),
    model(
        (4,),
        {"kind": "tabular_resnet", "blocks": 2, "width": 5, "hidden": 6, "activation": "relu"},
        kind=Adapted,
    ),
]
(HERE / "adapters.json").write_text(json.dumps(adapters) + "\n")


def transformer_settings(activation, width, factor):
    return {
        "kind": "transformer",
        "layers": 2,
        "heads": 2,
        "width": width,
        "feed_forward": factor,
        "activation": activation,
    }


def windows(text, starts, context):
    """What is read at each start, and the token that follows each place."""
    read = torch.stack([text[s : s + context] for s in starts])
    return read, torch.stack([text[s + 1 : s + 1 + context] for s in starts])


def text_model(activation, smoothing):
    vocabulary, context = 7, 5
    text = torch.tensor([(i * i + 3 * i + i // 4) % vocabulary for i in range(40)])
    tokens, labels = windows(text, [0, 11, 23], context)
    numbers = Numbers(
        {
            "embeddings": lambda i: 0.7 * math.sin(1.1 * i + 0.4),
            "norms": lambda i: 0.6 + 0.5 * math.sin(0.9 * i),
            "weights": lambda i: 0.5 * math.sin(1.3 * i + 0.2),
            "biases": lambda i: 0.3 * math.cos(0.7 * i),
        }
    )
    settings = transformer_settings(activation, 8, 3)
    logits = transformer(numbers, tokens, settings, vocabulary).reshape(-1, vocabulary)
    loss = F.cross_entropy(logits, labels.reshape(-1), label_smoothing=smoothing)
    loss.backward()
    return {
        "activation": activation,
        "smoothing": smoothing,
        "loss": loss.item(),
        "gradients": list(numbers.gradients().values()),
    }


transformers = [text_model("gelu", 0.0), text_model("relu", 0.1)]
(HERE / "transformers.json").write_text(json.dumps(transformers) + "\n")


TRACED, ROWS, BATCH, CLASSES, VOCABULARY = 100, 50, 16, 3, 11
DECAY = 0.1


def scattered(i):
    """Whole numbers from 0 to 1020 that look as if by chance."""
    return (31 * i * i + 17 * i + 5) % 1021


def spread(i):
    """From -1 to almost 1, and exact in float32."""
    return scattered(i) / 512 - 1


def batches(shape):
    """Rows of numbers with classes, or windows of a text; a batch goes on where the last one ended,
    and begins again at the first row."""
    if len(shape) == 2:
        context, vocabulary = shape
        text = torch.tensor([scattered(i) % vocabulary for i in range(ROWS + context)])
        inputs, labels = windows(text, range(ROWS), context)
    else:
        width = math.prod(shape)
        inputs = torch.tensor([2 * spread(i) for i in range(ROWS * width)]).reshape(ROWS, *shape)
        labels = torch.tensor([scattered(r) % CLASSES for r in range(ROWS)])
    for step in range(TRACED):
        rows = [(BATCH * step + place) % ROWS for place in range(BATCH)]
        yield inputs[rows], labels[rows].reshape(-1)


def trace(shape, settings, optimizer):
    """The losses before each step of training. PyTorch must find them again in float32: on a slope
    too steep, or by AdamW where a gradient is nothing but rounding, small differences grow, and say
    nothing about who made them."""
    losses, rate = trained(shape, settings, optimizer)
    torch.set_default_dtype(torch.float32)
    again, _ = trained(shape, settings, optimizer)
    torch.set_default_dtype(torch.float64)
    off = max(abs(x / y - 1) for x, y in zip(again, losses))
    assert off < 5e-5, f"{optimizer} of {settings}: {off}"
    said = {"shape": list(shape), "settings": settings, "optimizer": optimizer}
    return {**said, "rate": rate, "losses": losses}


def trained(shape, settings, optimizer):
    """The losses, and the rate."""
    numbers = Numbers(
        {
            "weights": lambda i: spread(i) / 2,
            "biases": lambda i: spread(i) / 8,
            "norms": lambda i: 1 + spread(i) / 4,
            "embeddings": lambda i: spread(i) / 2,
        }
    )
    rule, losses = None, []
    for inputs, labels in batches(shape):
        numbers.again()
        outputs = shape[1] if settings["kind"] == "transformer" else CLASSES
        logits = MAKE[settings["kind"]](numbers, inputs, settings, outputs)
        loss = F.cross_entropy(logits.reshape(-1, outputs), labels)
        losses.append(loss.item())
        if rule is None:
            # Norms and biases do not decay.
            groups = [
                {"params": made, "weight_decay": DECAY * (group in ("weights", "embeddings"))}
                for group, made in numbers.made.items()
            ]
            rule = {
                "sgd": lambda: torch.optim.SGD(groups, lr=0.02, momentum=0.9),
                "adam_w": lambda: torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.999), eps=1e-8),
            }[optimizer]()
        rule.zero_grad()
        loss.backward()
        rule.step()
    return losses, rule.param_groups[0]["lr"]


TRACES = [
    ((6,), mlp_settings("relu", "none", False, (40, 24))),
    ((6,), mlp_settings("tanh", "batch", False, (40, 24))),
    ((6,), mlp_settings("gelu", "layer", True, (24, 24, 12))),
    (
        (6,),
        {"kind": "tabular_resnet", "blocks": 2, "width": 16, "hidden": 24, "activation": "gelu"},
    ),
    ((8, 6, 2), cnn_settings("relu", False, False, hidden=12)),
    ((8, 6, 2), cnn_settings("gelu", True, True, pooling="average", average=True)),
    ((8, VOCABULARY), transformer_settings("gelu", 16, 2)),
]
traces = [trace(*traced, optimizer) for traced in TRACES for optimizer in ("sgd", "adam_w")]
(HERE / "traces.json").write_text(json.dumps(traces) + "\n")
