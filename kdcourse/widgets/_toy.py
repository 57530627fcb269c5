"""The toy problem of `distillation_steps`, in numpy. `static/toy.js` computes the same numbers in the browser, and a
test holds the two together: one generator, one order of operations, float64 throughout.

Three classes lie on the arms of a spiral, with noise, so that they overlap. A teacher learns from many points. Two
students, equal in everything but their targets, learn from the few points of the transfer set.
"""

from typing import NamedTuple

import numpy as np

CLASSES = 3
EDGE = 1.5  # the pictures show [-EDGE, EDGE] in both directions
NOISE = 0.22  # standard deviation of a point around its arm, in both directions
TEACHER_POINTS, TEST_POINTS = 600, 2000
TEACHER_SIZES, STUDENT_SIZES = (2, 16, 16, CLASSES), (2, 8, CLASSES)
TEACHER_STEPS, STUDENT_STEPS = 400, 300
TEACHER_BATCH = 60
# Of Adam, at the first step; they fall in a straight line towards 0. Of 150 or 300 steps and a rate of 0.02, 0.05 or
# 0.1, these were best for the student on labels, on seeds 1000 to 1015; the distilled student takes them as they are.
TEACHER_RATE, STUDENT_RATE = 0.02, 0.05
BETAS, EPSILON = (0.9, 0.999), 1e-8
STREAMS = {"training": 1, "transfer": 2, "test": 3, "teacher": 4, "student": 5}


class Points(NamedTuple):
    inputs: np.ndarray  # [N, 2]
    labels: np.ndarray  # int64 [N]


class Result(NamedTuple):
    """What `run` returns. Networks are lists of (weights [inputs, outputs], biases [outputs]), layer after layer."""

    transfer: Points
    teacher: list
    hard: list
    distilled: list
    accuracies: dict  # of "teacher", "hard" and "distilled", in [0, 1], on the test points


def uniform(seed, stream, n):
    """[n] numbers in [0, 1) of the generator mulberry32, whose start follows from the seed and the stream's name."""
    start = (seed + 1) * 0x9E3779B1 + STREAMS[stream] * 0x85EBCA6B
    state = ((start + np.arange(1, n + 1, dtype=np.uint64) * 0x6D2B79F5) & 0xFFFFFFFF).astype(np.uint32)
    mixed = (state ^ (state >> 15)) * (state | 1)
    mixed ^= mixed + (mixed ^ (mixed >> 7)) * (mixed | 61)
    return (mixed ^ (mixed >> 14)) / 2**32


def gaussians(first, second):
    """Two arrays of normal numbers from two of uniform ones (Box & Muller 1958)."""
    radius, angle = np.sqrt(-2 * np.log(1 - first)), 2 * np.pi * second
    return radius * np.cos(angle), radius * np.sin(angle)


def points(seed, stream, n):
    """The first n points of a stream; more of them begin with the same ones."""
    which, along, *noise = uniform(seed, stream, 4 * n).reshape(n, 4).T
    labels = np.floor(CLASSES * which).astype(np.int64)
    radius, angle = 0.15 + 1.1 * along, 2 * np.pi * labels / CLASSES + 2.4 * along
    right, up = gaussians(*noise)
    x, y = radius * np.cos(angle) + NOISE * right, radius * np.sin(angle) + NOISE * up
    return Points(np.stack([x, y], 1), labels)


def network(sizes, seed, stream):
    """A network of tanh layers before its training: normal weights with variance 1 / inputs, biases 0."""
    counts = [before * after for before, after in zip(sizes, sizes[1:], strict=False)]
    first, second = uniform(seed, stream, 2 * sum(counts)).reshape(-1, 2).T
    parts = np.split(gaussians(first, second)[0], np.cumsum(counts)[:-1])
    return [
        (part.reshape(before, after) / np.sqrt(before), np.zeros(after))
        for part, before, after in zip(parts, sizes, sizes[1:], strict=False)
    ]


def logits(net, inputs):
    return forward(net, inputs)[-1]


def forward(net, inputs):
    """What goes into each layer, and the logits last."""
    values = [inputs]
    for weights, biases in net[:-1]:
        values.append(np.tanh(values[-1] @ weights + biases))
    weights, biases = net[-1]
    return [*values, values[-1] @ weights + biases]


def log_softmax(scores, temperature=1.0):
    shifted = (scores - scores.max(1, keepdims=True)) / temperature
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def loss(student_logits, labels, teacher_logits=None, temperature=1.0, soft_weight=0.0):
    """(mean, gradient at the student's logits) of soft_weight · T² · KL + (1 − soft_weight) · cross-entropy."""
    log_q = log_softmax(student_logits)
    one_hot = np.eye(CLASSES)[labels]
    value = -(1 - soft_weight) * (log_q * one_hot).sum(1)
    gradient = (1 - soft_weight) * (np.exp(log_q) - one_hot)
    if soft_weight > 0:
        soft_p, soft_q = log_softmax(teacher_logits, temperature), log_softmax(student_logits, temperature)
        value = value + soft_weight * temperature**2 * (np.exp(soft_p) * (soft_p - soft_q)).sum(1)
        gradient = gradient + soft_weight * temperature * (np.exp(soft_q) - np.exp(soft_p))
    return value.mean(), gradient / len(labels)


def gradients(net, values, upstream):
    """Of the loss with respect to each layer's (weights, biases), from `forward` and the gradient at the logits."""
    found = []
    for k in reversed(range(len(net))):
        found.append((values[k].T @ upstream, upstream.sum(0)))
        if k:
            upstream = (upstream @ net[k][0].T) * (1 - values[k] ** 2)
    return found[::-1]


def trained(net, data, steps, rate, batch=None, until=None, **targets):
    """The network after `steps` steps of Adam, and the loss of each step; what came in stays as it was.

    A step takes the next `batch` points in their fixed order, which is random, or all of them.

    until    the step to stop before, if not at the end
    targets  those of `loss`
    """
    n = len(data.labels)
    batch = batch or n
    teacher_logits = targets.pop("teacher_logits", None)
    net = [[weights.copy(), biases.copy()] for weights, biases in net]
    moments = [[(np.zeros_like(part), np.zeros_like(part)) for part in layer] for layer in net]
    losses = []
    for step in range(steps if until is None else until):
        at = step * batch % n
        now = slice(at, at + batch)
        values = forward(net, data.inputs[now])
        soft = None if teacher_logits is None else teacher_logits[now]
        value, upstream = loss(values[-1], data.labels[now], soft, **targets)
        losses.append(float(value))
        size = rate * (1 - step / steps)
        corrections = [1 - beta ** (step + 1) for beta in BETAS]
        for layer, found, kept in zip(net, gradients(net, values, upstream), moments, strict=True):
            for part, gradient, (mean, square) in zip(layer, found, kept, strict=True):
                mean += (1 - BETAS[0]) * (gradient - mean)
                square += (1 - BETAS[1]) * (gradient**2 - square)
                part -= size * (mean / corrections[0]) / (np.sqrt(square / corrections[1]) + EPSILON)
    return net, losses


def accuracy(net, data):
    return float((logits(net, data.inputs).argmax(1) == data.labels).mean())


def run(seed, temperature, soft_weight, transfer_size):
    """The whole pipeline for a seed: data, teacher, both students, and their accuracies."""
    training, test = points(seed, "training", TEACHER_POINTS), points(seed, "test", TEST_POINTS)
    transfer = points(seed, "transfer", transfer_size)
    start = network(TEACHER_SIZES, seed, "teacher")
    teacher, _ = trained(start, training, TEACHER_STEPS, TEACHER_RATE, TEACHER_BATCH)
    start = network(STUDENT_SIZES, seed, "student")
    hard, _ = trained(start, transfer, STUDENT_STEPS, STUDENT_RATE)
    soft = {"teacher_logits": logits(teacher, transfer.inputs), "temperature": temperature, "soft_weight": soft_weight}
    distilled, _ = trained(start, transfer, STUDENT_STEPS, STUDENT_RATE, **soft)
    nets = {"teacher": teacher, "hard": hard, "distilled": distilled}
    return Result(transfer, **nets, accuracies={name: accuracy(net, test) for name, net in nets.items()})
