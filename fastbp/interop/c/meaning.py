"""What scores mean, in C: ``predict`` and ``predict_proba`` by the network's meaning.

``$p`` is what names begin with, ``$P`` the same in capitals, for sizes.
"""

from fastbp.datasets import Values
from fastbp.meaning import Meaning

from .numbers import literal
from .step import indented

_CLASSES = """
/* The most probable class, a number from 0 on: its name is $p_class_names[$p_predict(x)]. */
static inline int $p_predict(const float x[$P_INPUTS])
{
    float y[$P_OUTPUTS];
    int c, best = 0;
    $p_scores(x, y);
    for (c = 1; c < $P_CLASSES; c++)
        best = y[c] > y[best] ? c : best;
    return best;
}

/* The probability of each class: the softmax of the scores. */
static inline void $p_predict_proba(const float x[$P_INPUTS], float p[$P_CLASSES])
{
    float most, sum = 0.0f;
    int c;
    $p_scores(x, p);
    most = p[0];
    for (c = 1; c < $P_CLASSES; c++)
        most = p[c] > most ? p[c] : most;
    for (c = 0; c < $P_CLASSES; c++) {
        p[c] = expf(p[c] - most);
        sum += p[c];
    }
    for (c = 0; c < $P_CLASSES; c++)
        p[c] /= sum;
}
"""

_TWO_CLASSES = """
/* Class 0 or 1: the name of it is $p_class_names[$p_predict(x)]. */
static inline int $p_predict(const float x[$P_INPUTS])
{
    float y[$P_OUTPUTS];
    $p_scores(x, y);
    return y[0] > 0.0f;
}

/* The probabilities of class 0 and of class 1. */
static inline void $p_predict_proba(const float x[$P_INPUTS], float p[$P_CLASSES])
{
    float y[$P_OUTPUTS];
    $p_scores(x, y);
    p[0] = $p_sigmoid(-y[0]);
    p[1] = $p_sigmoid(y[0]);
}
"""

_LABELS = """
/* Of each question 1 for yes, 0 for no. */
static inline void $p_predict(const float x[$P_INPUTS], int answers[$P_OUTPUTS])
{
    float y[$P_OUTPUTS];
    int o;
    $p_scores(x, y);
    for (o = 0; o < $P_OUTPUTS; o++)
        answers[o] = y[o] > 0.0f;
}

/* Of each question the probability of yes. */
static inline void $p_predict_proba(const float x[$P_INPUTS], float p[$P_OUTPUTS])
{
    int o;
    $p_scores(x, p);
    for (o = 0; o < $P_OUTPUTS; o++)
        p[o] = $p_sigmoid(p[o]);
}
"""

_VALUES = """
/* What is predicted, in its own unit. */
static inline void $p_predict(const float x[$P_INPUTS], float y[$P_OUTPUTS])
{
    int o;
    $p_scores(x, y);
    for (o = 0; o < $P_OUTPUTS; o++) {
$lines
    }
}
"""

_SCORES = """
/* What is predicted: the scores themselves. */
static inline void $p_predict(const float x[$P_INPUTS], float y[$P_OUTPUTS])
{
    $p_scores(x, y);
}
"""

# By the meaning: the text, and the functions of one number that it calls.
_OF_CLASSES = {
    Meaning.CLASSES: (_CLASSES, ()),
    Meaning.TWO_CLASSES: (_TWO_CLASSES, ("sigmoid",)),
    Meaning.LABELS: (_LABELS, ("sigmoid",)),
}


def predictions(meaning: Meaning, values: Values | None) -> tuple[str, tuple[str, ...]]:
    """The functions' text, and the functions of one number that they call."""
    if not meaning.is_values:
        return _OF_CLASSES[meaning]
    lines = ["y[o] = expf(y[o]);"] if meaning is Meaning.COUNTS else []
    if values is not None:
        lines.append(f"y[o] = y[o] * {literal(values.std)} + {literal(values.mean)};")
        if values.low is not None and values.high is not None:  # what was trained on
            low, high = literal(values.low), literal(values.high)
            lines.append(f"y[o] = y[o] < {low} ? {low} : y[o] > {high} ? {high} : y[o];")
    if not lines:
        return _SCORES, ()
    return _VALUES.replace("$lines", indented("\n".join(lines), 2)), ()
