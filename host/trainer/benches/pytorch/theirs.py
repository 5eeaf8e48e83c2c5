"""PyTorch's side of the comparison. Reads questions, one JSON object a line, and answers each with
the milliseconds of every training step, as a JSON list on a line. Everything that our side does in
a step is done here too: rows are gathered, the loss is read."""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Mlp(nn.Module):
    def __init__(self, widths):
        super().__init__()
        pairs = zip(widths, widths[1:])
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairs)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def mlp(widths):
    return Mlp(widths), torch.rand(4096, widths[0]), torch.randint(widths[-1], (4096,))


class Cnn(nn.Module):
    def __init__(self, side, channels):
        super().__init__()
        pairs = zip([1, *channels], channels)
        self.stages = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
        side //= 2 ** len(channels)
        self.output = nn.Linear(channels[-1] * side * side, 10)

    def forward(self, x):
        for stage in self.stages:
            x = F.max_pool2d(torch.relu(stage(x)), 2)
        return self.output(x.flatten(1))


def cnn(side, channels):
    return Cnn(side, channels), torch.rand(4096, 1, side, side), torch.randint(10, (4096,))
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, context, width = x.shape
        seen = self.inward(self.norms[0](x)).view(batch, context, 3, self.heads, -1)
        q, k, v = seen.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.outward(mixed.transpose(1, 2).reshape(batch, context, width))
        return x + self.narrow(F.gelu(self.widen(self.norms[1](x)), approximate="tanh"))


class Transformer(nn.Module):
    def __init__(self, case):
        super().__init__()
        width = case["width"]
        self.tokens = nn.Embedding(case["vocabulary"], width)
        self.places = nn.Parameter(0.02 * torch.randn(case["context"], width))
        blocks = (Block(width, case["heads"]) for _ in range(case["layers"]))
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, case["vocabulary"])

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.tokens(x) + self.places)))


def transformer(case):
    text = torch.randint(case["vocabulary"], (420 * case["context"] + 1,))
    rows = text[:-1].view(-1, case["context"])
    return Transformer(case), rows, text[1:].view(-1, case["context"])


def trainer(case):
    model, rows, labels = {
        "mlp": lambda: mlp(case["widths"]),
        "cnn": lambda: cnn(case["side"], case["channels"]),
        "transformer": lambda: transformer(case),
    }[case["model"]]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    batch = case["batch"]

    def epochs():
        while True:
            order = torch.randperm(len(rows))
            for start in range(0, len(order) - batch + 1, batch):
                yield order[start : start + batch]

    batches = epochs()

    def step():
        chosen = next(batches)
        x, y = rows[chosen], labels[chosen]
        optimizer.zero_grad(set_to_none=True)
        out = model(x)
        loss = F.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    steps = {}
    print(json.dumps({"version": torch.__version__}), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        case = question["case"]
        step = steps.setdefault(json.dumps(case), None) or trainer(case)
        steps[json.dumps(case)] = step
        times = []
        for _ in range(question["steps"]):
            started = time.perf_counter()
            step()
            times.append(1e3 * (time.perf_counter() - started))
        print(json.dumps(times), flush=True)


main()
