"""Report B: backpropagation by hand. Batches of 8, rate 0.01, weights from N(0, 1)·10⁻³."""

from dataclasses import replace

from fastbp.experiments.claims import Best, Close, Reaches, Rising, Unstable, Worst
from fastbp.experiments.measures import ROUGHNESS, TEST_ACCURACY, TRAIN_ACCURACY, accuracy_after
from fastbp.experiments.spec import Experiment, Figure, Network, Variant

B = Network()  # 784-800-100-10, tanh, hinge, 10 epochs: what B uses unless a row says otherwise

PIXELS = "The report does not give the pixel scale. Pixels/255 reaches its figures, so it is used."

WORKED_EXAMPLE = Experiment(
    name="worked-example",
    row="B.0",
    title="One step of backpropagation by hand",
    setting="2 inputs, 2 sigmoid units, 1 sigmoid output, squared error, rate 0.5, target 0.01",
    reported="Every value, gradient and update, with four to seven digits",
    figures=(Figure("worked_example", "figures 1–4"),),
    choices=(
        "The report goes on computing with the four digits of H1 and H2 that it prints; so does "
        "the example. All other numbers are unrounded.",
        "The report's line for h1 prints 0.05 for I2: a slip, since it computes with 0.25.",
    ),
)

STABLE = ("ReLU, rate 0.01", "ReLU, rate 0.001", "ELU", "sigmoid", "tanh")

ACTIVATIONS = Experiment(
    name="activations",
    row="B.1",
    title="Activations",
    setting="784-800-100-10, hinge; ReLU at rate 0.01 and, for 20 epochs, at 0.001; ELU; "
    "sigmoid; tanh",
    reported="ReLU unstable at 0.01; ELU best, tanh close, sigmoid behind and erratic, ReLU "
    "slower at its lower rate",
    variants=(
        Variant("ReLU, rate 0.01", replace(B, activation="relu")),
        Variant("ReLU, pixels/8", replace(B, activation="relu", pixels_over=8)),
        Variant("ReLU, pixels/4", replace(B, activation="relu", pixels_over=4)),
        Variant("ReLU, rate 0.001", replace(B, activation="relu", lr=0.001, epochs=20)),
        Variant("ELU", replace(B, activation="elu")),
        Variant("sigmoid", replace(B, activation="sigmoid")),
        Variant("tanh", B),
    ),
    figures=(
        Figure("loss_by_iteration", "figures 5–8"),
        Figure("train_accuracy", "figure 9"),
        Figure("test_accuracy", "figure 10"),
        Figure("train_accuracy", "", STABLE, "from 90 % up", least=0.9),
        Figure("test_accuracy", "", STABLE, "from 90 % up", least=0.9),
    ),
    claims=(
        Unstable("ReLU is unstable at rate 0.01 (pixels/255)", "ReLU, rate 0.01"),
        Unstable("ReLU is unstable at rate 0.01 (pixels/8)", "ReLU, pixels/8"),
        Unstable("ReLU is unstable at rate 0.01 (pixels/4)", "ReLU, pixels/4"),
        Best("ELU is best", "ELU", ("tanh", "sigmoid", "ReLU, rate 0.001"), TEST_ACCURACY),
        Close("tanh is close to ELU", "tanh", "ELU", 0.005, TEST_ACCURACY),
        Worst("Sigmoid is behind", "sigmoid", ("tanh", "ELU"), TEST_ACCURACY),
        Best("Sigmoid is erratic", "sigmoid", ("tanh", "ELU"), ROUGHNESS),
        Worst(
            "ReLU at its lower rate is slower: it is behind after epoch 10",
            "ReLU, rate 0.001",
            ("ELU", "tanh"),
            accuracy_after(10),
        ),
    ),
    choices=(
        PIXELS,
        "Whether ReLU is stable at rate 0.01 depends on the pixel scale, so it is shown on "
        "pixels/255, on pixels/8 and on pixels/4. Which scale the report used is unknown.",
        "“ELU is best” leaves out ReLU at rate 0.01, which the report found unstable.",
        "Unstable means: its numbers become NaN or infinite, or it ends below 50 % on the test "
        "images.",
        "Close means: within 0.5 percentage points. Erratic: the test accuracy jumps more from "
        "epoch to epoch, in the second half of the run, than with tanh and with ELU.",
    ),
)

LOSSES = Experiment(
    name="losses",
    row="B.2",
    title="Losses",
    setting="784-800-100-10, tanh; hinge and cross entropy",
    reported="Hinge above cross entropy on training and test images",
    variants=(
        Variant("hinge", B),
        Variant("cross entropy", replace(B, loss="cross-entropy")),
    ),
    figures=(
        Figure("loss_by_iteration", "figures 11, 12"),
        Figure("train_accuracy", "figure 13"),
        Figure("test_accuracy", "figure 14"),
    ),
    claims=(
        Best(
            "Hinge is above cross entropy in training", "hinge", ("cross entropy",), TRAIN_ACCURACY
        ),
        Best("Hinge is above cross entropy in test", "hinge", ("cross entropy",), TEST_ACCURACY),
    ),
    choices=(PIXELS,),
)

DEPTHS = ("100", "800–100", "600–800–100")

DEPTH = Experiment(
    name="depth",
    row="B.3",
    title="Depth",
    setting="Hidden layers 100; 800–100; 600–800–100; tanh, hinge",
    reported="Deeper needs longer, ends better",
    variants=(
        Variant("100", replace(B, hidden=(100,))),
        Variant("800–100", B),
        Variant("600–800–100", replace(B, hidden=(600, 800, 100))),
    ),
    figures=(
        Figure("loss_by_iteration", "figures 15–17"),
        Figure("train_accuracy", "figure 18"),
        Figure("test_accuracy", "figure 19"),
    ),
    claims=(
        Rising(
            "Deeper needs longer: it is behind after the first epoch",
            DEPTHS[::-1],
            accuracy_after(1),
        ),
        Rising("Deeper ends better in training", DEPTHS, TRAIN_ACCURACY),
        Rising("Deeper ends better in test", DEPTHS, TEST_ACCURACY),
    ),
    choices=(PIXELS,),
)


def _units(first: int, second: int) -> Variant:
    return Variant(f"{first}–{second}", replace(B, hidden=(first, second)))


FIRST = tuple(_units(first, 100) for first in (200, 400, 600, 800))
SECOND = tuple(_units(400, second) for second in (100, 200, 300, 400))
FIRST_LABELS = tuple(variant.label for variant in FIRST)
SECOND_LABELS = tuple(variant.label for variant in SECOND)

UNITS = Experiment(
    name="units",
    row="B.4",
    title="Units",
    setting="First layer 200 to 800 with 100 in the second; second layer 100 to 400 with 400 in "
    "the first; tanh, hinge",
    reported="More units are better in the first layer; 300 are best in the second",
    variants=(*FIRST, *SECOND[1:]),
    figures=(
        Figure("train_accuracy", "figure 20", FIRST_LABELS, "units of the first layer"),
        Figure("test_accuracy", "figure 21", FIRST_LABELS, "units of the first layer"),
        Figure("train_accuracy", "figure 22", SECOND_LABELS, "units of the second layer"),
        Figure("test_accuracy", "figure 23", SECOND_LABELS, "units of the second layer"),
    ),
    claims=(
        Rising("More units are better in the first layer (training)", FIRST_LABELS, TRAIN_ACCURACY),
        Rising("More units are better in the first layer (test)", FIRST_LABELS, TEST_ACCURACY),
        Best(
            "300 units are best in the second layer (training)",
            "400–300",
            ("400–100", "400–200", "400–400"),
            TRAIN_ACCURACY,
        ),
        Best(
            "300 units are best in the second layer (test)",
            "400–300",
            ("400–100", "400–200", "400–400"),
            TEST_ACCURACY,
        ),
    ),
    choices=(PIXELS,),
)

FINAL = Experiment(
    name="final",
    row="B.5",
    title="The final classifier",
    setting="784-800-100-10, tanh, hinge, 25 epochs",
    reported="99.31 % on the training images, 97.44 % on the test images",
    variants=(
        Variant(
            "final",
            replace(B, epochs=25),
            {"train_accuracy": 0.9931, "test_accuracy": 0.9744},
        ),
    ),
    figures=(
        Figure("loss_by_iteration"),
        Figure("accuracy"),
        Figure("first_layer_weights"),
        Figure("misclassified"),
    ),
    claims=(
        Reaches("At least 99.31 % of the training images", "final", TRAIN_ACCURACY, 0.9931),
        Reaches("At least 97.44 % of the test images", "final", TEST_ACCURACY, 0.9744),
    ),
    choices=(PIXELS,),
)

REPORT_B = (WORKED_EXAMPLE, ACTIVATIONS, LOSSES, DEPTH, UNITS, FINAL)
