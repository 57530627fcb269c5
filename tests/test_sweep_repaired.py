"""Students that were never shown a class, before and after its bias is mended, against loops."""

from dataclasses import replace

import numpy as np
import pytest
from blobs import blobs

from kdcourse.sweep import grid, repaired, sweep


def test_shares_are_those_of_a_loop_and_the_bias_comes_from_validation_alone():
    data = blobs()
    table = sweep(
        grid(width=8, lr=0.05, init_seed=[0, 1]), data, epochs=2, predictions=True, resume=False, progress=False
    )
    name, test = data.class_names[1], data.test.labels.tolist()
    found = repaired(table, data, name)
    assert found.index.equals(table.index)
    assert found["init_seed"].tolist() == [0, 1]
    for row, logits in zip(found.to_dict("records"), table["test_logits"], strict=True):
        for bias, own, others in [(0, "recall", "others"), (row["bias"], "repaired_recall", "repaired_others")]:
            said = [int(np.argmax(one + bias * np.eye(len(one))[1])) for one in logits]
            hits = {
                truth: [a == b for a, b in zip(said, test, strict=True) if (b == 1) == truth] for truth in (True, False)
            }
            assert row[own] == pytest.approx(sum(hits[True]) / len(hits[True]))
            assert row[others] == pytest.approx(sum(hits[False]) / len(hits[False]))
    without = replace(data, validation=data.validation[data.validation.labels != 1])
    pruned = table.assign(
        validation_logits=[one[data.validation.labels.numpy() != 1] for one in table["validation_logits"]]
    )
    assert repaired(pruned, without, name)["bias"].tolist() == [0, 0]  # none there to be found


def test_a_table_without_predictions_is_refused():
    table = sweep(grid(width=4), blobs(), epochs=1, resume=False, progress=False)
    with pytest.raises(ValueError, match="call sweep with predictions=True"):
        repaired(table, blobs(), blobs().class_names[0])
