"""What a model costs to run, and how it is made to cost less.

`multiply_adds`, `latency`, `latency_percentiles`, `throughput` and `cold_start` measure; `cost_per_1000`, `break_even`
and `business_case` say what that is in money. `export_onnx` and `quantize_int8` (extra `export`), `prune_weights` and
`prune_units` make a model smaller; `fit_cascade` asks the teacher where the student is unsure. The file `serve.py`
answers from an exported model in a process without torch and without this package.
"""

from kdcourse.ship.answering import onnx_logits, open_session
from kdcourse.ship.cascade import Cascade, cascade_curve, fit_cascade
from kdcourse.ship.cost import BusinessCase, break_even, business_case, cost_per_1000
from kdcourse.ship.counting import multiply_adds
from kdcourse.ship.export import Export, export_onnx, size_in_bytes
from kdcourse.ship.fresh import cold_start
from kdcourse.ship.measure import latency, latency_percentiles, throughput
from kdcourse.ship.prune import prune_units, prune_weights
from kdcourse.ship.quantize import Processor, Quantized, processor, quantize_int8

__all__ = [
    "BusinessCase",
    "Cascade",
    "Export",
    "Processor",
    "Quantized",
    "break_even",
    "business_case",
    "cascade_curve",
    "cold_start",
    "cost_per_1000",
    "export_onnx",
    "fit_cascade",
    "latency",
    "latency_percentiles",
    "multiply_adds",
    "onnx_logits",
    "open_session",
    "processor",
    "prune_units",
    "prune_weights",
    "quantize_int8",
    "size_in_bytes",
    "throughput",
]
