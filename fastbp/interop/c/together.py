"""What several networks say together, in C: the scores whose meaning is the mean of theirs."""

from typing import NamedTuple

from fastbp.meaning import Meaning

_LOG_MEAN = """
/* The logarithm of the mean of exp(s), over the networks. */
static inline float $p_log_mean(const float *s)
{
    float most = s[0], sum = 0.0f;
    int k;
    for (k = 1; k < $P_NETWORKS; k++)
        most = s[k * $P_OUTPUTS] > most ? s[k * $P_OUTPUTS] : most;
    for (k = 0; k < $P_NETWORKS; k++)
        sum += expf(s[k * $P_OUTPUTS] - most);
    return most + logf(sum / $P_NETWORKS);
}
"""

_LOG_PROBABILITIES = """
/* Scores less the logarithm of the sum of their exp. */
static inline void $p_log_probabilities(float *s)
{
    float most = s[0], sum = 0.0f;
    int o;
    for (o = 1; o < $P_OUTPUTS; o++)
        most = s[o] > most ? s[o] : most;
    for (o = 0; o < $P_OUTPUTS; o++)
        sum += expf(s[o] - most);
    sum = logf(sum);
    for (o = 0; o < $P_OUTPUTS; o++)
        s[o] = (s[o] - most) - sum;
}
"""

_MEAN = """\
for (o = 0; o < $P_OUTPUTS; o++) {
    y[o] = 0.0f;
    for (k = 0; k < $P_NETWORKS; k++)
        y[o] += s[k * $P_OUTPUTS + o] / $P_NETWORKS;
}"""

_OF_COUNTS = """\
for (o = 0; o < $P_OUTPUTS; o++)
    y[o] = $p_log_mean(s + o);"""

_OF_CLASSES = (
    """\
for (k = 0; k < $P_NETWORKS; k++)
    $p_log_probabilities(s + k * $P_OUTPUTS);
"""
    + _OF_COUNTS
)

_OF_LABELS = """\
for (k = 0; k < $P_NETWORKS * $P_OUTPUTS; k++) {
    no[k] = -$p_softplus(s[k], 1.0f, 20.0f);
    s[k] = -$p_softplus(-s[k], 1.0f, 20.0f);
}
for (o = 0; o < $P_OUTPUTS; o++)
    y[o] = $p_log_mean(s + o) - $p_log_mean(no + o);"""


class Together(NamedTuple):
    """The end of ``scores``, from ``s``, the scores of each network, to ``y``."""

    end: str
    before: str = ""  # functions that it calls
    beside: str = ""  # another array beside s
    k: str = ", k"  # whether it counts by it
    functions: tuple[str, ...] = ()  # of one number, that it calls


_OF_YES = Together(
    _OF_LABELS,
    _LOG_MEAN,
    beside=", no[$P_NETWORKS * $P_OUTPUTS]",
    functions=("softplus",),
)

TOGETHER: dict[Meaning, Together] = {
    Meaning.VALUES: Together(_MEAN),
    Meaning.COUNTS: Together(_OF_COUNTS, _LOG_MEAN, k=""),
    Meaning.CLASSES: Together(_OF_CLASSES, _LOG_MEAN + _LOG_PROBABILITIES),
    Meaning.TWO_CLASSES: _OF_YES,
    Meaning.LABELS: _OF_YES,
}
