"""Functions of one number, in C, of float alone. ``$p`` is what all names of a header begin with.

They keep NaN, and are at infinity what fastbp's kernels are. tanh is our own: it has no branch, so
that compilers make vectors of it, which takes a tenth of the library's time. The others stand
between fewer numbers, as a rule, and call the library.
"""

from __future__ import annotations

from fastbp.kernels._numpy import FAR, SELU_ALPHA, SELU_SCALE

# By the name that follows the header's.
FUNCTIONS: dict[str, str] = {
    "relu": """
static inline float $p_relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}
""",
    "leaky_relu": """
static inline float $p_leaky_relu(float x, float slope)
{
    return x > 0.0f ? x : slope * x;
}
""",
    "elu": """
static inline float $p_elu(float x, float alpha)
{
    return x > 0.0f ? x : alpha * expm1f(x);
}
""",
    "selu": f"""
static inline float $p_selu(float x)
{{
    return {SELU_SCALE:.9g}f * (x > 0.0f ? x : {SELU_ALPHA:.9g}f * expm1f(x));
}}
""",
    "tanh": """
/* x * p(x*x) / q(x*x) up to where tanh(x) is 1 as a float; 4e-7 from it at most, 6e-8 as a rule. */
static inline float $p_tanh(float x)
{
    const float in = x < -9.02f ? -9.02f : x > 9.02f ? 9.02f : x, s = in * in;
    float p = 2.05836563e-05f + s * 1.33192899e-08f, q = 3.28311096e-04f + s * 7.76211385e-07f, y;
    p = 0.999999979f + s * (0.133797278f + s * (3.49404598e-03f + s * p));
    q = 1.0f + s * (0.467130431f + s * (2.58711175e-02f + s * q));
    y = in * (p / q);
    y = y < -1.0f ? -1.0f : y > 1.0f ? 1.0f : y;
    return x < -9.02f ? -1.0f : x > 9.02f ? 1.0f : y;
}
""",
    "sigmoid": """
static inline float $p_sigmoid(float x)
{
    const float e = expf(x > 0.0f ? -x : x);
    return (x > 0.0f ? 1.0f : e) / (1.0f + e);
}
""",
    "silu": f"""
static inline float $p_silu(float x)
{{
    return (x < -{FAR}.0f ? -{FAR}.0f : x) * $p_sigmoid(x);
}}
""",
    "mish": f"""
/* x * tanh(log(1 + exp(x))), in powers of exp(-|x|). */
static inline float $p_mish(float x)
{{
    const float e = expf(x > 0.0f ? -x : x);
    const float up = x > 0.0f ? 1.0f + 2.0f * e : e * (e + 2.0f);
    const float more = x > 0.0f ? 2.0f * e * e : 2.0f;
    return (x < -{FAR}.0f ? -{FAR}.0f : x) * (up / (up + more));
}}
""",
    "softplus": """
static inline float $p_softplus(float x, float beta, float threshold)
{
    const float z = beta * x;
    if (z > threshold)
        return x;
    return ((z < 0.0f ? 0.0f : z) + log1pf(expf(z > 0.0f ? -z : z))) / beta;
}
""",
    "gelu": f"""
static inline float $p_gelu(float x)
{{
    return (x < -{FAR}.0f ? -{FAR}.0f : x) * 0.5f * erfcf(-0.707106781f * x);
}}
""",
    "gelu_tanh": f"""
/* x * (1 + tanh(a)) / 2, which is x * sigmoid(2 * a). */
static inline float $p_gelu_tanh(float x)
{{
    const float in = x < -{FAR}.0f ? -{FAR}.0f : x > {FAR}.0f ? {FAR}.0f : x;
    const float p = $p_sigmoid(1.59576912f * (in + 0.044715f * in * in * in));
    return (x < -{FAR}.0f ? -{FAR}.0f : x) * p;
}}
""",
}

# Those that functions call themselves.
NEEDS = {"silu": ("sigmoid",), "gelu_tanh": ("sigmoid",)}


def functions(names: set[str]) -> list[str]:
    """The functions of these names and those that they call, in order."""
    wanted = names | {needed for name in names for needed in NEEDS.get(name, ())}
    order = [*FUNCTIONS]
    order.sort(key=lambda name: name in NEEDS)  # those that are called come first
    return [FUNCTIONS[name].strip("\n") for name in order if name in wanted]
