"""Students of a sweep that were never shown a class, before and after the bias that stands in their way is mended."""

import numpy as np
import pandas as pd

from kdcourse.data import DataSet
from kdcourse.stats.calibration import fit_bias


def repaired(table: pd.DataFrame, data: DataSet, class_name: str) -> pd.DataFrame:
    """How well each student recognises one class on test, before and after `fit_bias` on validation.

    Parameters
    ----------
    table : DataFrame
        As of `sweep`, with predictions=True.
    data : DataSet
        That the students were measured on.
    class_name : str

    Returns
    -------
    DataFrame
        `table` without its predictions, and with the columns bias; recall and repaired_recall, the share of the test
        examples of the class that are called by its name; others and repaired_others, the accuracy on the other test
        examples.

    Raises
    ------
    ValueError
        For a table without predictions, and a name that is no class.

    Examples
    --------
    >>> from kdcourse.data import load
    >>> from kdcourse.sweep import grid, sweep
    >>> garments = load("fashion-mnist").subset(20)
    >>> table = sweep(grid(width=4), garments, epochs=1, predictions=True, resume=False, progress=False)
    >>> list(repaired(table, garments, "bag"))[-5:]
    ['bias', 'recall', 'repaired_recall', 'others', 'repaired_others']
    """
    if "test_logits" not in table:
        raise ValueError("table must have predictions: call sweep with predictions=True")
    label, test = data.class_index(class_name), data.test.labels.numpy()
    own, rows = test == label, []
    for validation_logits, test_logits in zip(table["validation_logits"], table["test_logits"], strict=True):
        bias = fit_bias(validation_logits, data.validation.labels, label)
        before = test_logits.argmax(1) == test
        after = (test_logits + bias * (np.arange(test_logits.shape[1]) == label)).argmax(1) == test
        rows.append([bias, before[own].mean(), after[own].mean(), before[~own].mean(), after[~own].mean()])
    names = ["bias", "recall", "repaired_recall", "others", "repaired_others"]
    kept = table.drop(columns=["validation_logits", "test_logits"])
    return kept.assign(**dict(zip(names, np.array(rows).T, strict=True)))
