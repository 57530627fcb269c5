"""Students and teachers. A student is a plain multilayer perceptron; a teacher is a small residual CNN.

Both take inputs as `[N, D]`, so that the same loop trains either. A student of texts takes the ids of their n-grams,
`[N, L]`. `StudentStack` is many students in one.
"""

from kdcourse.models.networks import Residual, cnn, count_parameters, mlp
from kdcourse.models.ratios import channels_for_ratio, width_for_ratio
from kdcourse.models.stacked import StudentStack

__all__ = ["Residual", "StudentStack", "channels_for_ratio", "cnn", "count_parameters", "mlp", "width_for_ratio"]
