"""Train the Fashion-MNIST teacher again: checkpoint, logits for every split and view, and its card.

    python tools/train_teacher.py            # about 25 minutes on one CPU core, a minute on a GPU

Nothing here looks at the test split except the last lines, which report on it once.
"""

import argparse
import time

import torch
from checksums import record

from kdcourse import data, store
from kdcourse.models import cnn, count_parameters
from kdcourse.stats import expected_calibration_error
from kdcourse.train import accuracy, teacher_logits, train

CHANNELS = (32, 64, 128)
SHIFT = 2  # pixels, at most, in each direction
CUTOUT = 8  # side of the square that is blanked in every training picture
PEAK_LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02
BATCH_SIZE = 128


def augment(inputs, generator):
    """Mirror half of the pictures, shift each by up to SHIFT pixels, blank one square of each."""
    count, side = len(inputs), data.SIDE
    device = inputs.device

    def draw(low, high):
        return torch.randint(low, high, (count, 1, 1), generator=generator, device=device)

    pictures = inputs.view(count, side, side)
    line = torch.arange(side, device=device)
    rows = line.view(1, side, 1) + draw(-SHIFT, SHIFT + 1)
    columns = line.view(1, 1, side)
    columns = torch.where(draw(0, 2) == 1, side - 1 - columns, columns) + draw(-SHIFT, SHIFT + 1)
    background = inputs.min()
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    down = line.view(1, side, 1) - draw(1 - CUTOUT, side)
    right = line.view(1, 1, side) - draw(1 - CUTOUT, side)
    hole = (down >= 0) & (down < CUTOUT) & (right >= 0) & (right < CUTOUT)
    which = torch.arange(count, device=device).view(count, 1, 1)
    moved = pictures[which, rows.clamp(0, side - 1), columns.clamp(0, side - 1)]
    return torch.where(inside & ~hole, moved, background).reshape(count, -1)


def one_cycle(done):
    """Up for the first fifth of training, then down to almost nothing, both linearly."""
    return min(done / 0.2, (1 - done) / 0.8) + 0.002


def report(logits, labels):
    """Accuracy, negative log-likelihood (nats) and calibration error of logits against labels."""
    return {
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
        "nll": torch.nn.functional.cross_entropy(logits, labels).item(),
        "ece": expected_calibration_error(logits.softmax(1), labels),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    garments = data.load("fashion-mnist", with_teacher=False)
    teacher = cnn(CHANNELS, seed=arguments.seed)
    print(f"{count_parameters(teacher):,} parameters, {arguments.epochs} epochs", flush=True)
    start = time.perf_counter()
    history = train(
        teacher,
        garments.train.inputs,
        garments.train.labels,
        epochs=arguments.epochs,
        lr=PEAK_LEARNING_RATE,
        batch_size=BATCH_SIZE,
        order_seed=arguments.seed,
        schedule=one_cycle,
        weight_decay=WEIGHT_DECAY,
        augment=augment,
        validation=garments.validation,
        bf16=True,
    )
    seconds = time.perf_counter() - start
    print(history.table.to_string())

    folder = data.folder() / "fashion-mnist"
    store.save_tensors(folder / "teacher.safetensors", teacher.state_dict(), {"cnn": {"channels": CHANNELS}})
    logits = {}
    for name in ("train", "validation", "test"):
        split = getattr(garments, name)
        logits[name] = teacher_logits(teacher, split.inputs)
        logits[f"{name}_flipped"] = teacher_logits(teacher, split.flipped().inputs)
    store.save_tensors(folder / "teacher-logits.safetensors", {name: values.half() for name, values in logits.items()})
    record()


if __name__ == "__main__":
    main()
