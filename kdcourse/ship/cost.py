"""What requests cost in money, and when a student has paid for itself."""

from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from kdcourse._arguments import describe

Costs: TypeAlias = float | np.ndarray | pd.Series


def cost_per_1000(
    milliseconds: Costs | None = None,
    price_per_hour: Costs | None = None,
    *,
    requests_per_second: Costs | None = None,
    utilisation: Costs = 1.0,
) -> Costs:
    """What 1,000 requests cost on a rented machine.

    Either it serves one request after the other, each in so many milliseconds, or several at once, so many a second.

    Parameters
    ----------
    milliseconds : float, array or Series
        Per request, >= 0; of a batch, `median_ms / batch_size`.
    price_per_hour : float, array or Series
        Of the machine, >= 0, in any currency.
    requests_per_second : float, array or Series
        In place of `milliseconds`: what the machine can answer, > 0, as `throughput` measures it.
    utilisation : float, array or Series
        The share of the paid time in which there are requests, in (0, 1]. 1: it is paid only while it answers.

    Returns
    -------
    float, array or Series
        In that currency.

    Raises
    ------
    TypeError, ValueError
        For what is no number, negative or not finite, and for arrays that do not match.

    Examples
    --------
    >>> cost_per_1000(milliseconds=7.2, price_per_hour=2)
    0.004
    >>> cost_per_1000(price_per_hour=0.9, requests_per_second=50, utilisation=0.25)
    0.02
    """
    if (milliseconds is None) == (requests_per_second is None):
        raise TypeError(f"give milliseconds or requests_per_second, got {milliseconds!r} and {requests_per_second!r}")
    name = "milliseconds" if requests_per_second is None else "requests_per_second"
    speed, price_per_hour, utilisation = as_costs(
        **{name: milliseconds if requests_per_second is None else requests_per_second},
        price_per_hour=price_per_hour,
        utilisation=utilisation,
    )
    _check("utilisation", utilisation, (utilisation > 0) & (utilisation <= 1), "in (0, 1]")
    if requests_per_second is None:
        return _plain(speed * price_per_hour / 3600 / utilisation)
    _check(name, speed, speed > 0, "> 0")
    return _plain(1000 * price_per_hour / 3600 / speed / utilisation)


def break_even(one_time_cost: Costs, teacher_cost: Costs, student_cost: Costs) -> Costs:
    """After how many requests the student has saved what it cost to make.

    Parameters
    ----------
    one_time_cost : float, array or Series
        Of the student (its training, the work), >= 0.
    teacher_cost, student_cost : float, array or Series
        Per 1,000 requests, >= 0, in the same currency.

    Returns
    -------
    float, array or Series
        Requests; infinity where the student saves nothing.

    Raises
    ------
    TypeError, ValueError
        For what is no number, negative or not finite, and for arrays that do not match.

    Examples
    --------
    >>> break_even(one_time_cost=100, teacher_cost=0.5, student_cost=0.25)
    400000.0
    """
    one_time_cost, teacher_cost, student_cost = as_costs(
        one_time_cost=one_time_cost, teacher_cost=teacher_cost, student_cost=student_cost
    )
    saved = np.maximum(teacher_cost - student_cost, 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        requests = 1000 * one_time_cost / saved
    # fmin passes over NaN, which can only be 0 / 0: a student that cost nothing and saves nothing.
    return _plain(np.fmin(requests, np.inf))


class BusinessCase(NamedTuple):
    """What `business_case` returns: money in one currency, each a number, array or Series.

    Attributes
    ----------
    one_time_cost
        Of the student: training, labelling, and what the teacher was asked for.
    teacher_cost_per_month, student_cost_per_month
        Of serving all requests; the student's with the requests that it hands on to the teacher, and with retraining.
    saved_per_month
        The first minus the second; negative where the student costs more.
    break_even_months, break_even_requests
        Until the student has saved what it cost to make; infinity where it saves nothing.
    """

    one_time_cost: Costs
    teacher_cost_per_month: Costs
    student_cost_per_month: Costs
    saved_per_month: Costs
    break_even_months: Costs
    break_even_requests: Costs


def business_case(
    *,
    requests_per_month: Costs,
    teacher_cost_per_1000: Costs,
    student_cost_per_1000: Costs,
    training_cost: Costs,
    labelling_cost: Costs = 0.0,
    teacher_queries: Costs = 0.0,
    fallback_share: Costs = 0.0,
    retraining_cost_per_month: Costs = 0.0,
) -> BusinessCase:
    """When a student has paid for itself, with all that it costs.

    Parameters
    ----------
    requests_per_month : float, array or Series
        Answered, > 0.
    teacher_cost_per_1000, student_cost_per_1000 : float, array or Series
        Per 1,000 requests, as `cost_per_1000` says; >= 0, in one currency.
    training_cost : float, array or Series
        Once: machines and work, the failed attempts too.
    labelling_cost : float, array or Series
        Once: people who label examples.
    teacher_queries : float, array or Series
        How many answers of the teacher the student learns from; they cost what its requests cost.
    fallback_share : float, array or Series
        In [0, 1]: the share of requests that go on to the teacher. They pay for both.
    retraining_cost_per_month : float, array or Series
        To keep the student up to date: training again, labels, checks.

    Returns
    -------
    BusinessCase

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> case = business_case(
    ...     requests_per_month=1_000_000, teacher_cost_per_1000=0.5, student_cost_per_1000=0.05, training_cost=900,
    ...     teacher_queries=200_000, fallback_share=0.1, retraining_cost_per_month=150,
    ... )
    >>> case.one_time_cost, case.saved_per_month, case.break_even_months
    (1000.0, 250.0, 4.0)
    """
    requests, teacher, student, training, labelling, queries, fallback, retraining = as_costs(
        requests_per_month=requests_per_month,
        teacher_cost_per_1000=teacher_cost_per_1000,
        student_cost_per_1000=student_cost_per_1000,
        training_cost=training_cost,
        labelling_cost=labelling_cost,
        teacher_queries=teacher_queries,
        fallback_share=fallback_share,
        retraining_cost_per_month=retraining_cost_per_month,
    )
    _check("requests_per_month", requests, requests > 0, "> 0")
    _check("fallback_share", fallback, fallback <= 1, "in [0, 1]")
    one_time = training + labelling + queries / 1000 * teacher
    before = requests / 1000 * teacher
    after = requests / 1000 * (student + fallback * teacher) + retraining
    saved = before - after
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # fmin passes over NaN, which can only be 0 / 0: a student that cost nothing and saves nothing.
        months = np.fmin(one_time / np.maximum(saved, 0), np.inf)
        return BusinessCase(*map(_plain, (one_time, before, after, saved, months, months * requests)))


def as_costs(**values):
    """The values as float64, scalars, arrays or Series, once all are >= 0 and finite and go together."""
    columns = {}
    for name, value in values.items():
        column = value if isinstance(value, pd.Series) else np.asarray(value)
        if column.dtype.kind not in "iuf":
            raise TypeError(f"{name} must be a number, or an array or Series of them, got {describe(value)}")
        columns[name] = column = column.astype(np.float64)
        bad = np.asarray(column)[~((column >= 0) & (column < np.inf))]
        if len(bad):
            raise ValueError(f"{name} must be >= 0 and finite, got {bad[0]}")
    shapes = {name: list(column.shape) for name, column in columns.items() if column.ndim}
    indexes = {name: column.index for name, column in columns.items() if isinstance(column, pd.Series)}
    for name, shape in shapes.items():
        first = next(iter(shapes))
        if shape != shapes[first]:
            raise ValueError(f"{name} must have the shape of {first}, got {shape} and {shapes[first]}")
    for name, index in indexes.items():
        first = next(iter(indexes))
        if not index.equals(indexes[first]):  # pandas would fill up with NaN
            raise ValueError(f"{name} must have the index of {first}, got {list(index)} and {list(indexes[first])}")
    return columns.values()


def _check(name, column, good, wanted):
    bad = np.asarray(column)[~np.asarray(good)]
    if bad.size:
        raise ValueError(f"{name} must be {wanted}, got {bad.flat[0]}")


def _plain(result):
    return float(result) if np.ndim(result) == 0 else result
