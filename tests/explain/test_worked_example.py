"""Report B's worked example: one pass forward and back through five neurons, by its own numbers.

The report rounds H1 and H2 to the four digits it prints and computes on with those; from there on
every number it prints follows from unrounded ones. So the digits are compared on a network with a
layer that rounds. The same network without it gives the exact numbers, which are compared too.

Two slips of the report: in the line for h1 it prints 0.05 where I2 = 0.25 is meant (and used), and
b1 goes into h1 only, so that the hidden biases here are (0.45, 0).
"""

import numpy as np
import pytest

import fastbp as fb

INPUTS = [[0.05, 0.25]]
TARGET = [[0.01]]


class Rounded(fb.Layer):
    """Y = X to four digits, as one writes it down; the derivative does not know of it."""

    def forward(self, x):
        self.y = np.round(x, 4)
        return self.y

    def backward(self, dy):
        return dy


def example(*between):
    """The report's network, with layers between its hidden and its output neurons."""
    hidden = fb.Linear(2, 2), fb.Sigmoid()
    output = fb.Linear(2, 1), fb.Sigmoid()
    net = fb.Sequential(*hidden, *between, *output, dtype="float64")
    hidden[0].w[...] = [[0.25, 0.6], [0.75, 0.35]]  # w1, w2 from I1; w3, w4 from I2
    hidden[0].b[...] = [0.45, 0]
    output[0].w[...] = [[0.55], [0.65]]  # w5, w6
    output[0].b[...] = 0.65
    return net, hidden, output


def test_the_hidden_neurons_to_every_printed_digit(backend):
    net, hidden, _ = example()
    net.forward(INPUTS)
    (h,), (big_h,) = hidden[0].y, hidden[1].y
    np.testing.assert_allclose(h, [0.65, 0.1175], rtol=1e-15)  # printed without rounding
    assert [f"{value:.4f}" for value in big_h] == ["0.6570", "0.5293"]


def test_the_output_and_all_gradients_to_every_printed_digit(backend):
    net, _, output = example(Rounded())
    o = net.forward(INPUTS)
    assert f"{output[0].y[0, 0]:.6f}" == "1.355395"  # o'
    assert f"{o[0, 0]:.5f}" == "0.79501"
    loss, gradient = fb.MSELoss()(o, TARGET)
    assert loss == pytest.approx((o[0, 0] - 0.01) ** 2, rel=1e-15)
    assert f"{gradient[0, 0]:.5f}" == "1.57002"  # dl/do
    assert f"{output[1].backward(gradient)[0, 0]:.5f}" == "0.25586"  # dl/do'
    net.backward(gradient)
    assert f"{output[0].dw[0, 0]:.6f}" == "0.168103"  # dl/dw5
    assert f"{output[0].dw[1, 0]:.5f}" == "0.13543"  # dl/dw6
    fb.SGD(lr=0.5).step(net)
    assert f"{output[0].w[0, 0]:.7f}" == "0.4659485"  # new w5
    assert f"{output[0].w[1, 0]:.6f}" == "0.582285"  # new w6


def test_without_rounding_the_same_to_four_digits(backend):
    net, _, output = example()
    o = net.forward(INPUTS)
    _, gradient = fb.MSELoss()(o, TARGET)
    net.backward(gradient)
    fb.SGD(lr=0.5).step(net)
    found = [*output[0].y, *o, *gradient, *output[0].dw, *output[0].w]
    reported = [[1.355395], [0.79501], [1.57002], [0.168103], [0.13543], [0.4659485], [0.582285]]
    np.testing.assert_allclose(found, reported, rtol=1e-4)


def test_without_rounding_exactly_the_chain_rule(backend):
    """The whole example once more in plain arithmetic, with the gradients the report leaves out."""

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    i1, i2, w5, w6, y = 0.05, 0.25, 0.55, 0.65, 0.01
    h1, h2 = sigmoid(i1 * 0.25 + i2 * 0.75 + 0.45), sigmoid(i1 * 0.6 + i2 * 0.35)
    o = sigmoid(h1 * w5 + h2 * w6 + 0.65)
    do = 2 * (o - y) * o * (1 - o)
    d1, d2 = do * w5 * h1 * (1 - h1), do * w6 * h2 * (1 - h2)
    gradients = [i1 * d1, i1 * d2, i2 * d1, i2 * d2, d1, d2, do * h1, do * h2, do]

    net, _, _ = example()
    start = net.params.copy()
    loss, gradient = fb.MSELoss()(net.forward(INPUTS), TARGET)
    net.backward(gradient)
    assert loss == pytest.approx((o - y) ** 2, rel=1e-14)
    np.testing.assert_allclose(net.grads, gradients, rtol=1e-13)
    fb.SGD(lr=0.5).step(net)
    np.testing.assert_allclose(net.params, start - 0.5 * np.array(gradients), rtol=1e-14)


def test_its_gradients_hold(backend):
    net, _, _ = example()
    assert fb.gradcheck(net, fb.MSELoss(), INPUTS, TARGET)


def test_one_step_lowers_the_loss(backend):
    net, _, _ = example()
    history = fb.fit(
        net, (INPUTS, TARGET), loss=fb.MSELoss(), optimizer=fb.SGD(lr=0.5), epochs=2, batch_size=1
    )
    first, second = history.loss_by_iteration
    assert first == pytest.approx(0.785015552508297**2, rel=1e-12)
    assert second < first
