"""Train the Fashion-MNIST teacher again: checkpoint, logits for every split and view, and its card.

    python tools/train_teacher.py            # about half an hour on one CPU core
    python tools/train_teacher.py --card     # only write the card again

Nothing here looks at the test split except the last lines, which report on it once.
"""

import argparse
import time

import torch
from checksums import record

from kdcourse import data, store
from kdcourse.data import dataset
from kdcourse.models import cnn, count_parameters
from kdcourse.stats.calibration import expected_calibration_error
from kdcourse.train import load_teacher, teacher_logits, train

CHANNELS = (32, 64, 128)
SHIFT = 2  # pixels, at most, in each direction
CUTOUT = 8  # side of the square that is blanked in every training picture
PEAK_LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02
BATCH_SIZE = 128
SPLITS = ("train", "validation", "test")


def augment(inputs, generator):
    """Mirror half of the pictures, shift each by up to SHIFT pixels, blank one square of each."""
    count, side = len(inputs), dataset.SIDE
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


def card(folder):
    """The text of `teacher-card.md`, from what is stored: every measured number in it is computed here."""
    garments = data.load("fashion-mnist")
    _, about = store.load_tensors(folder / "teacher.safetensors")
    teacher = load_teacher("fashion-mnist")
    rows, flips = [], []
    for name in SPLITS:
        split = getattr(garments, name)
        for view, logits in [("", split.teacher_logits), (", flipped", split.flipped().teacher_logits)]:
            result = report(logits, split.labels)
            rows.append(f"| {name}{view} | {result['accuracy']:.2%} | {result['nll']:.3f} | {result['ece']:.3f} |")
        flips.append((split.teacher_logits.argmax(1) == split.flipped().teacher_logits.argmax(1)).double().mean())
    validation = garments.validation
    right = validation.teacher_logits.argmax(1) == validation.labels
    recalls = [
        f"{class_name} {right[validation.labels == label].double().mean():.1%}"
        for label, class_name in enumerate(garments.class_names)
    ]
    size = (folder / "teacher.safetensors").stat().st_size
    return f"""# The Fashion-MNIST teacher

Written by `tools/train_teacher.py` from the stored checkpoint and logits; do not edit by hand.

| | |
|---|---|
| Task | one of {len(garments.class_names)} garments from a 28 × 28 grey picture |
| Architecture | `kdcourse.models.cnn`: a 3 × 3 stem of {CHANNELS[0]} channels, \
then {len(CHANNELS) - 1} stages of {CHANNELS[1:]} channels, each a \
stride-2 convolution and one residual block; batch norm; global average pooling; one linear layer |
| Parameters | {count_parameters(teacher):,} ({size / 1e6:.1f} MB, float32 safetensors) |
| Trained on | the 50,000 training pictures and their labels, cross-entropy, no label smoothing |
| Recipe | AdamW, {about["training"]["epochs"]} epochs, batches of {BATCH_SIZE}, \
learning rate up to {PEAK_LEARNING_RATE} in the first fifth \
and down again (linear), weight decay {WEIGHT_DECAY}, seed {about["training"]["seed"]}, forward pass in bfloat16 |
| Augmentation | mirrored left to right half of the time, \
shifted by up to {SHIFT} pixels, one {CUTOUT} × {CUTOUT} square blanked |
| Took | {about["training"]["seconds"] / 60:.0f} minutes on {about["training"]["device"]} \
({about["training"]["threads"]} thread, torch {about["training"]["torch"]}) |
| Chosen by | nothing: the weights after the last epoch, of the only run that was made with this recipe |
| Made again by | `python tools/train_teacher.py` |

## What it gets right

| split | accuracy | negative log-likelihood (nats) | calibration error (ECE, 15 bins) |
|---|---|---|---|
{chr(10).join(rows)}

Recall on validation: {", ".join(recalls)}.

## Use

- `kdcourse.train.load_teacher("fashion-mnist")` is the network; `load("fashion-mnist").train.teacher_logits` is what it
  says (stored in float16: up to about 0.01 away from what the network computes); `.train.flipped()` is the mirrored
  pictures with what it says about those.
- It has learned from the training pictures' labels, so its answers there are surer, and more often right, than on
  pictures that are new to it. A student trained on those answers inherits that.
- The pictures' mirror images are not quite the same to it: first choices agree on {flips[0]:.1%} of
  train, {flips[1]:.1%} of validation, {flips[2]:.1%} of test. Give a student that sees mirrored pictures the logits
  of the mirrored view.
- It knows nothing but these ten garments, and will name one of them for any picture at all.
"""


def write_card(folder):
    (folder / "teacher-card.md").write_text(card(folder), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None, help="torch's own choice if left out")
    parser.add_argument("--card", action="store_true", help="train nothing, only write the card again")
    arguments = parser.parse_args()
    folder = data.folder() / "fashion-mnist"
    if arguments.card:
        write_card(folder)
        return
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
    training = {
        "epochs": arguments.epochs,
        "seed": arguments.seed,
        "seconds": round(time.perf_counter() - start),
        "device": history.device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__.partition("+")[0],
    }
    print(history.table.to_string())
    about = {"cnn": {"channels": CHANNELS}, "training": training}
    store.save_tensors(folder / "teacher.safetensors", teacher.state_dict(), about)

    logits = {}
    for name in SPLITS:
        split = getattr(garments, name)
        logits[name] = teacher_logits(teacher, split.inputs).half()
        logits[f"{name}_flipped"] = teacher_logits(teacher, split.flipped().inputs).half()
    store.save_tensors(folder / "teacher-logits.safetensors", logits)
    record()
    write_card(folder)


if __name__ == "__main__":
    main()
