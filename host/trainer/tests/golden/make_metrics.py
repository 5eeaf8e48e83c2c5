"""Reference values of metrics from scikit-learn 1.8.0 and fairlearn 0.13.0 (with numpy 2.4.6).
Writes metrics.json beside itself.

    python3 -m venv venv
    venv/bin/pip install numpy==2.4.6 scikit-learn==1.8.0 fairlearn==0.13.0
    venv/bin/python make_metrics.py
"""

import json
from pathlib import Path

import numpy as np
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equalized_odds_difference,
    mean_prediction,
)
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
)

BINS = 15


def calibration_error(chances, labels):
    """Guo et al. 2017, equation 3."""
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == labels
    # What stands on an edge is there but for rounding.
    edges = np.linspace(0, 1, BINS + 1) + 1e-9
    total = 0.0
    for low, high in zip(edges, edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def case(seed, rows, classes, groups, step):
    """Logits are multiples of `step`: where it is coarse many are tied."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    logits = random.normal(0, 1.5, (rows, classes))
    logits[np.arange(rows), labels] += 1
    group = random.integers(0, groups, rows)
    logits[:, -1] += 0.7 * group
    logits = np.round(logits / step) * step
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    chosen = chances.argmax(axis=1)
    # Rounded, so that equal ones are not parted by their last bit.
    ranked = np.round(chances, 9)
    if classes == 2:
        auc = roc_auc_score(labels, ranked[:, 1])
    else:
        auc = np.mean([roc_auc_score(labels == c, ranked[:, c]) for c in range(classes)])
    asked = [1] if classes == 2 else range(classes)

    def worst(measure, choose):
        values = [
            measure((labels == c).astype(int), (chosen == c).astype(int), sensitive_features=group)
            for c in asked
        ]
        return float(choose(values))

    return {
        "classes": classes,
        "logits": logits.ravel().tolist(),
        "labels": labels.tolist(),
        "groups": group.tolist(),
        "scores": {
            "loss": float(log_loss(labels, chances)),
            "accuracy": float(accuracy_score(labels, chosen)),
            "balanced_accuracy": float(balanced_accuracy_score(labels, chosen)),
            "f1": float(f1_score(labels, chosen, average="macro")),
            "auc": float(auc),
            "calibration_error": float(calibration_error(chances, labels)),
        },
        "disparities": {
            "demographic_parity_difference": worst(demographic_parity_difference, max),
            "demographic_parity_ratio": worst(demographic_parity_ratio, min),
            "equal_opportunity_difference": worst(equal_opportunity_difference, max),
            "equalized_odds_difference": worst(equalized_odds_difference, max),
        },
    }


def numbers(seed, rows, groups, scale):
    """Targets in units of `scale`, as a model learns them."""
    random = np.random.default_rng(seed)
    group = random.integers(0, groups, rows)
    truth = random.normal(0, 1, rows).astype(np.float32)
    outputs = (truth + random.normal(0, 0.3 + 0.2 * group) + 0.4 * group).astype(np.float32)
    frame = MetricFrame(
        metrics={
            "mean_prediction_difference": mean_prediction,
            "mae_difference": mean_absolute_error,
        },
        y_true=truth.astype(np.float64) * scale,
        y_pred=outputs.astype(np.float64) * scale,
        sensitive_features=group,
    )
    return {
        "outputs": outputs.tolist(),
        "truth": truth.tolist(),
        "groups": group.tolist(),
        "scale": scale,
        "disparities": {name: float(value) for name, value in frame.difference().items()},
    }


classification = [
    case(1, 60, 2, 2, 2**-10),
    case(2, 60, 2, 3, 0.5),
    case(3, 80, 3, 2, 2**-10),
    case(4, 80, 3, 4, 0.5),
    case(5, 90, 5, 2, 1.0),
    case(6, 40, 2, 2, 2.0),
]
regression = [numbers(7, 60, 2, 1.0), numbers(8, 60, 3, 20.0), numbers(9, 80, 5, 0.5)]
path = Path(__file__).parent / "metrics.json"
cases = json.dumps(
    {"classification": classification, "regression": regression}, separators=(",", ":")
)
for first in ['{"classes"', '{"outputs"']:
    cases = cases.replace(first, "\n" + first)
path.write_text(cases + "\n")
