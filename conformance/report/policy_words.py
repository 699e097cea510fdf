"""Says in a few words what a trainer does under a policy; the glossary says it in full."""

from __future__ import annotations

from conformance.model import REFUSE

_WORDS = {
    REFUSE: "raises an error",
    "window_by_samples": "weighs every sample alike",
    "window_by_batches": "divides by the batches that the window has",
    "window_by_length_stepped": "divides by the full length, steps a short window",
    "window_by_length_carried": "divides by the full length, carries a short window over",
    "window_by_length_dropped": "divides by the full length, drops a short window",
    "window_sum_stepped": "adds up, divides by nothing",
    "epoch_by_samples": "mean of batches, weighed by samples",
    "epoch_by_batches": "mean of batches, all alike",
    "epoch_running_098": "running average of 0.98",
    "epoch_at_once": "all samples as one batch",
    "ranks_by_samples": "as one process would",
    "ranks_equal": "mean over processes, all alike",
    "ranks_equal_by_batches": "mean over processes and their batches, all alike",
    "ranks_own": "each process reports its own",
    "ranks_padded": "counts samples that the sampler repeats",
    "clip_exact": "scales to the limit",
    "clip_eps_1e_6": "divides by the norm + 1e-6",
    "views_by_probabilities": "averages probabilities",
    "views_by_logits": "averages logits",
    "half_is_negative": "decides 0.5 as negative",
    "half_is_positive": "decides 0.5 as positive",
    "mode_training": "puts the model into training mode",
    "mode_as_left": "trains in the mode that it finds",
    "refit_trains": "trains again",
    "refit_does_nothing": "does nothing",
    "sanity_none": "validates nothing before",
    "sanity_two_batches": "validates two batches first",
    "computed_in_float32": "computes in float32",
    "computed_in_bfloat16": "computes in bfloat16",
    "computed_in_float16": "computes in float16",
    "stored_in_bfloat16": "converts everything to bfloat16",
    "stored_in_float16": "converts everything to float16",
    "stored_in_float64": "converts everything to float64",
}


def policy_words(policy: str) -> str:
    """A few words for a policy; its name where there are none."""
    return _WORDS.get(policy, policy)
