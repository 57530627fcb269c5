"""Train the student that lesson 08 goes on with: half the budget of soft targets, on the first 2,000 words.

    python tools/train_cmudict_student.py

Its learning rate is the one that the full run of the lesson has chosen, and takes from the cache if it is there.
"""

from checksums import record

from kdcourse import data, store
from kdcourse.claims.phonemes import chosen, trained
from kdcourse.lm.teacher import WARM_START

if __name__ == "__main__":
    lr, _ = chosen("soft targets")
    student, about = trained("soft targets", lr, 0.5, block=0)
    halves = {name: tensor.half() for name, tensor in student.state_dict().items()}
    settings = {"lr": lr, "flops": about["flops"], "words": "the first 2,000 of the training split"}
    store.save_tensors(data.folder() / WARM_START, halves, {"transformer": student.recipe, "training": settings})
    record()
