"""Writes more.jsonl: schedules and arguments that schedules.jsonl and greedylr.jsonl lack.

Run with PyTorch 2.15.0 and Hugging Face transformers 5.23.0: python3 more.py > more.jsonl
"""

import json
import random
import sys
import warnings

import torch
from torch.optim import lr_scheduler
from transformers import optimization

warnings.simplefilter("ignore")
random.seed(20261123)

FACTORIES = {
    "hf.constant": optimization.get_constant_schedule,
    "hf.cosine": optimization.get_cosine_schedule_with_warmup,
    "hf.cosine_with_restarts": optimization.get_cosine_with_hard_restarts_schedule_with_warmup,
    "hf.cosine_with_min_lr": optimization.get_cosine_with_min_lr_schedule_with_warmup,
    "hf.cosine_warmup_with_min_lr": optimization.get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    "hf.linear": optimization.get_linear_schedule_with_warmup,
    "hf.polynomial": optimization.get_polynomial_decay_schedule_with_warmup,
    "hf.inverse_sqrt": optimization.get_inverse_sqrt_schedule,
    "hf.warmup_stable_decay": optimization.get_wsd_schedule,
    "hf.reduce_lr_on_plateau": optimization.get_reduce_on_plateau_schedule,
}


def optimizer_of(init_lr):
    rates = init_lr if isinstance(init_lr, list) else [init_lr]
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=rates[0], momentum=0.9)


def of_groups(optimizer, key, init_lr):
    values = [group[key] for group in optimizer.param_groups]
    return values if isinstance(init_lr, list) else values[0]


def schedule(name, init_lr, steps, metrics=None, momentum=False, **params):
    optimizer = optimizer_of(init_lr)
    library, _, short = name.partition(".")
    factory = getattr(lr_scheduler, short) if library == "torch" else FACTORIES[name]
    scheduler = factory(optimizer, **params)
    rates = [of_groups(optimizer, "lr", init_lr)]
    momenta = [of_groups(optimizer, "momentum", init_lr)]
    for step in range(steps):
        optimizer.step()
        scheduler.step(*([] if metrics is None else [metrics[step]]))
        rates.append(of_groups(optimizer, "lr", init_lr))
        momenta.append(of_groups(optimizer, "momentum", init_lr))
    trace = {"schedule": name, "params": params, "init_lr": init_lr, "steps": steps, "lr": rates}
    if metrics is not None:
        trace["metrics"] = metrics
    if momentum:
        trace["momentum"] = momenta
    print(json.dumps(trace))


def greedy(name, init_lr, metrics, **params):
    optimizer = optimizer_of(init_lr)
    scheduler = optimization.GreedyLR(optimizer, **params)
    rates = []
    for metric in metrics:
        optimizer.step()
        scheduler.step(metric)
        rates.append([group["lr"] for group in optimizer.param_groups])
    trace = {"name": name, "params": params, "init_lr": init_lr, "metrics": metrics, "lr": rates}
    print(json.dumps(trace))


def noisy(steps, level=0.05, rising=False):
    sign = -1 if rising else 1
    return [sign * (0.97**t + random.gauss(0, level)) for t in range(steps)]


def main():
    for factor, total in [(0.5, 4), (1.0, 3), (0.25, 1)]:
        schedule("torch.ConstantLR", 0.3, 12, factor=factor, total_iters=total)
    schedule("torch.ConstantLR", [0.3, 0.2], 12)
    schedule("torch.LinearLR", 0.3, 12)
    schedule("torch.LinearLR", [0.3, 0.1], 40, start_factor=0.1, end_factor=0.9, total_iters=33)
    schedule("torch.LinearLR", 0.3, 40, start_factor=1.0, end_factor=0.0, total_iters=30)
    schedule("torch.StepLR", [0.3, 0.1], 40, step_size=7)
    schedule("torch.MultiStepLR", [0.3, 0.1], 40, milestones=[30, 10])
    schedule("torch.ExponentialLR", [0.3, 0.1], 40, gamma=1.0)
    schedule("torch.PolynomialLR", [0.3, 0.1], 12)
    schedule("torch.PolynomialLR", 0.3, 50, total_iters=47, power=2.5)
    for eta_min in [0.0, 0.01]:
        schedule("torch.CosineAnnealingLR", 0.3, 150, T_max=40, eta_min=eta_min)
    schedule("torch.CosineAnnealingLR", [0.3, 0.005], 60, T_max=37, eta_min=0.01)
    for restart in [1, 2, 4]:
        schedule("torch.CosineAnnealingWarmRestarts", [0.3, 0.1], 150, T_0=7, T_mult=restart)
    for strategy in ["cos", "linear"]:
        for three_phase in [False, True]:
            for start, total in [(0.3, 90), (0.25, 47)]:
                schedule(
                    "torch.OneCycleLR",
                    0.01,
                    total - 1,
                    momentum=True,
                    max_lr=0.3,
                    total_steps=total,
                    pct_start=start,
                    anneal_strategy=strategy,
                    three_phase=three_phase,
                )
    schedule(
        "torch.OneCycleLR",
        [0.1, 0.2],
        59,
        momentum=True,
        max_lr=[0.3, 0.6],
        epochs=6,
        steps_per_epoch=10,
        base_momentum=0.7,
        max_momentum=0.99,
        div_factor=10.0,
        final_div_factor=100.0,
    )
    schedule("torch.OneCycleLR", 0.1, 30, max_lr=0.3, total_steps=31, cycle_momentum=False)
    for mode in ["triangular", "triangular2", "exp_range"]:
        for down in [None, 5, 21]:
            schedule(
                "torch.CyclicLR",
                0.1,
                120,
                momentum=True,
                base_lr=0.01,
                max_lr=0.3,
                step_size_up=13,
                step_size_down=down,
                mode=mode,
                gamma=0.98,
            )
    schedule(
        "torch.CyclicLR",
        [0.1, 0.2],
        60,
        momentum=True,
        base_lr=[0.01, 0.0],
        max_lr=[0.3, 0.6],
        step_size_up=9,
        base_momentum=0.5,
        max_momentum=0.6,
    )

    for mode in ["min", "max"]:
        for threshold_mode in ["rel", "abs"]:
            for cooldown in [0, 4]:
                schedule(
                    "torch.ReduceLROnPlateau",
                    [0.3, 0.1],
                    160,
                    metrics=noisy(160, rising=mode == "max"),
                    mode=mode,
                    factor=0.6,
                    patience=3,
                    threshold=0.02,
                    threshold_mode=threshold_mode,
                    cooldown=cooldown,
                    min_lr=[0.001, 0.02],
                    eps=1e-3,
                )
    schedule("torch.ReduceLROnPlateau", 0.3, 120, metrics=noisy(120))
    gaps = [float("nan") if t % 7 == 3 else m for t, m in enumerate(noisy(120))]
    schedule("torch.ReduceLROnPlateau", 0.3, 120, metrics=gaps, patience=2, factor=0.5)
    schedule("hf.reduce_lr_on_plateau", 0.3, 120, metrics=noisy(120), patience=5, factor=0.3)

    schedule("hf.constant", 0.3, 5)
    schedule("hf.linear", [0.3, 0.1], 60, num_warmup_steps=0, num_training_steps=50)
    for cycles in [0.5, 0.75, 1.0, 2.5]:
        schedule(
            "hf.cosine",
            0.3,
            80,
            num_warmup_steps=10,
            num_training_steps=60,
            num_cycles=cycles,
        )
    for cycles in [1, 3, 4, 7]:
        for training in [50, 61, 100]:
            schedule(
                "hf.cosine_with_restarts",
                0.3,
                training + 5,
                num_warmup_steps=10,
                num_training_steps=training,
                num_cycles=cycles,
            )
    schedule("hf.polynomial", [0.3, 0.1], 60, num_warmup_steps=5, num_training_steps=50)
    schedule(
        "hf.polynomial",
        0.3,
        60,
        num_warmup_steps=0,
        num_training_steps=50,
        lr_end=0.01,
        power=3.0,
    )
    for warmup, timescale in [(0, None), (0, 7), (10, None), (10, 30), (10, 3)]:
        schedule(
            "hf.inverse_sqrt",
            0.3,
            80,
            num_warmup_steps=warmup,
            timescale=timescale,
        )
    for minimum in [{"min_lr": 0.02}, {"min_lr_rate": 0.1}]:
        for name in ["hf.cosine_with_min_lr", "hf.cosine_warmup_with_min_lr"]:
            for warmup in [0, 1, 12]:
                schedule(
                    name,
                    0.3,
                    70,
                    num_warmup_steps=warmup,
                    num_training_steps=60,
                    **minimum,
                )
    schedule(
        "hf.cosine_warmup_with_min_lr",
        0.3,
        70,
        num_warmup_steps=12,
        num_training_steps=60,
        min_lr_rate=0.1,
        warmup_lr_rate=0.25,
    )
    for warmup_type in ["linear", "cosine", "1-sqrt"]:
        for decay_type in ["linear", "cosine", "1-sqrt"]:
            for length in [{"num_training_steps": 80}, {"num_stable_steps": 40}]:
                schedule(
                    "hf.warmup_stable_decay",
                    0.3,
                    90,
                    num_warmup_steps=11,
                    num_decay_steps=23,
                    warmup_type=warmup_type,
                    decay_type=decay_type,
                    min_lr_ratio=0.05,
                    **length,
                )
    schedule(
        "hf.warmup_stable_decay",
        0.3,
        90,
        num_warmup_steps=0,
        num_decay_steps=80,
        num_training_steps=80,
        num_cycles=1.5,
    )

    greedy("defaults", [0.1], noisy(300))
    greedy("not finite", [0.1], [1.0, float("inf"), float("nan"), float("-inf"), 0.0] * 8, patience=1)
    greedy(
        "poisoned window",
        [0.1, 0.02],
        noisy(20) + [float("nan")] + noisy(60),
        patience=2,
        smooth=True,
        window_size=5,
        factor=0.5,
        reset_start=3,
        cooldown=2,
        min_lr=[0.01, 0.001],
    )
    greedy("no floor, no reset count", [0.1], noisy(150), patience=1, min_lr=0.0, reset_start=0)
    for number in range(20):
        groups = random.choice([1, 1, 2, 3])
        rising = random.random() < 0.3
        greedy(
            f"drawn {number}",
            [random.choice([1e-3, 0.02, 0.1, 0.5, 2.0]) for _ in range(groups)],
            noisy(200, level=random.choice([0.0, 0.01, 0.2]), rising=rising),
            mode="max" if rising else "min",
            factor=random.choice([0.3, 0.5, 0.8, 0.95]),
            patience=random.choice([0, 1, 2, 4]),
            threshold=random.choice([0.0, 1e-4, 0.05]),
            threshold_mode=random.choice(["abs", "rel"]),
            cooldown=random.choice([0, 1, 4]),
            warmup=random.choice([0, 1, 4]),
            min_lr=random.choice([1e-4, 0.01]),
            max_lr=random.choice([0.2, 1.0]),
            eps=random.choice([1e-8, 1e-3]),
            smooth=random.random() < 0.5,
            window_size=random.choice([1, 2, 10]),
            reset_start=random.choice([1, 3, 500]),
        )


if __name__ == "__main__":
    sys.exit(main())
