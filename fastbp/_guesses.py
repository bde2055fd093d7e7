"""Names and options of PyTorch, Keras and scikit-learn that fastbp does not have: what to write.

By who is asked for them: a module, or a class and those that come from it. What stands here is
the end of an error message, and a line of docs/coming_from.md.
"""

from __future__ import annotations

_SEEDS = "seeds are arguments, fb.Sequential(..., seed=0) and fb.fit(..., seed=0)"
_NO_TAPE = (
    "leave it out, no graph is recorded: net.backward(gradient) uses what net.forward(x) kept"
)
_ROWS = "layers stand in a row, fb.Sequential(fb.Linear(4, 8), fb.ReLU(), fb.Linear(8, 3))"
_MEANS = "leave it out, a loss is the mean over the batch"
_FLAT = "net.params is the vector of all parameters, layer.w and layer.b are views into it"
_NO_SEQUENCES = "there are no layers for sequences; " + _ROWS
_OVERWRITTEN = "leave it out, net.backward overwrites the gradients"
_ARRAYS = "write NumPy's arrays, which everything takes and returns"
_FROM_SCORES = "take fb.BCEWithLogitsLoss() on raw scores, without a Sigmoid before it"
_BATCH_NORM = "write fb.BatchNorm1d(columns), or of images fb.BatchNorm2d(channels)"
_CONFUSION = "write fb.evaluate(net, (x, y)).confusion_matrix, and .plot() in its place to draw it"
_TO_ONNX = "write fb.onnx.save(net, path)"
_EXPORT = (
    'write fb.onnx.save(net, path), fb.c.save(net, "net.h"), or fb.numpy_source.save(net, "net.py")'
)
_FROM_TORCH = "write fb.torch.from_torch(...), of an nn.Sequential"
_MANY = "write a loop over fb.fit, or give fb.fit_many several networks at once"

NAMES: dict[str, dict[str, str]] = {
    "fastbp": {
        "Activation": "write the layer itself, e.g. fb.ReLU()",
        "Adadelta": "fastbp has fb.RMSprop(lr=0.01) and fb.Adam() in its place",
        "Add": "write fb.Residual(...), x + layers(x)",
        "AveragePooling2D": "write fb.AvgPool2d(kernel)",
        "BCELoss": _FROM_SCORES,
        "BatchNorm": _BATCH_NORM,
        "BatchNormalization": _BATCH_NORM,
        "Conv": "write fb.Conv2d(in_channels, out_channels, kernel)",
        "Conv1d": "write fb.Conv2d(in_channels, out_channels, (1, k)) on images of one row",
        "Convolution2D": "write fb.Conv2d(in_channels, out_channels, kernel)",
        "CosineAnnealingLR": "write fb.fit(..., schedule=fb.schedules.Cosine())",
        "DataLoader": "fb.fit takes PyTorch's; or give arrays, fb.fit(net, x, y, batch_size=32), "
        "which draws batches",
        "Dataset": "write fb.datasets.Dataset(x, y), or give arrays, fb.fit(net, x, y)",
        "Dense": "write fb.Linear(inputs, outputs)",
        "Embedding": "no layer takes indices; write one-hot rows, np.eye(10)[x], into fb.Linear",
        "GRU": _NO_SEQUENCES,
        "GlorotUniform": 'write fb.Sequential(..., init="glorot")',
        "HeNormal": 'write fb.Sequential(..., init="he")',
        "GridSearch": _MANY,
        "GridSearchCV": _MANY,
        "Identity": "leave the layer out",
        "Input": "the first layer says it, fb.Linear(4, 8), and of images input_shape=",
        "LBFGS": "write fb.minimize(net, (x, y), fb.MSELoss())",
        "LSTM": _NO_SEQUENCES,
        "LayerNormalization": "write fb.LayerNorm(columns)",
        "LearningRateScheduler": "write fb.fit(..., schedule=lambda step: 0.99**step)",
        "MAELoss": "write fb.L1Loss()",
        "MLP": _ROWS,
        "MLPClassifier": "write fb.sklearn.MLPClassifier()",
        "MLPRegressor": "write fb.sklearn.MLPRegressor()",
        "MaxPool": "write fb.MaxPool2d(kernel)",
        "MaxPooling2D": "write fb.MaxPool2d(kernel)",
        "Model": _ROWS,
        "ModelCheckpoint": "write fb.fit(..., checkpoint=path), or fb.Checkpoint(path)",
        "Module": "write fb.Layer for a layer of your own, or fb.Sequential for a network",
        "MultiMarginLoss": "write fb.HingeLoss(), which does not divide by the number of classes",
        "NeuralNetwork": _ROWS,
        "OneHotEncoder": "write np.eye(classes)[y]; labels do as they are",
        "RNN": _NO_SEQUENCES,
        "ReduceLROnPlateau": "write fb.fit(..., schedule=fb.schedules.ReduceOnPlateau())",
        "SmoothL1Loss": "write fb.HuberLoss(), the same where beta is 1",
        "Softmax": "leave it out: fb.CrossEntropyLoss() takes raw scores, and net.predict_proba(x) "
        "is their softmax; fb.LogSoftmax() goes with fb.NLLLoss()",
        "StandardScaler": "write fb.Standardize.of(x) as the first layer",
        "StepLR": "write fb.fit(..., schedule=fb.schedules.Step(...))",
        "Swish": "write fb.SiLU()",
        "Tensor": _ARRAYS,
        "TensorDataset": "fb.fit takes PyTorch's; or give arrays, fb.fit(net, x, y)",
        "Trainer": "write fb.fit(net, x, y)",
        "XavierUniform": 'write fb.Sequential(..., init="glorot")',
        "accuracy_score": "write net.score(x, y)",
        "arange": _ARRAYS,
        "array": _ARRAYS,
        "backend": "write fb.use_backend(name); python -m fastbp info shows the one in use",
        "binary_cross_entropy": _FROM_SCORES,
        "callbacks": "write fb.EarlyStopping(patience=3); for one of your own fb.Callback",
        "compile": "leave it out, loss and optimiser are arguments of fb.fit",
        "confusion_matrix": _CONFUSION,
        "cross_val_score": _MANY,
        "cuda": "everything runs on the CPU",
        "data": "write fb.datasets",
        "device": "everything runs on the CPU",
        "export": _EXPORT,
        "from_numpy": _ARRAYS,
        "from_pytorch": _FROM_TORCH,
        "from_torch": _FROM_TORCH,
        "functional": "write the layer or the loss, e.g. fb.ReLU(), fb.CrossEntropyLoss()",
        "get_backend": "write fb.use_backend(name); python -m fastbp info shows the one in use",
        "init": 'write fb.Sequential(..., init="glorot"), or one of fb.initializers',
        "load_model": "write fb.load(path)",
        "lr_scheduler": "write fb.schedules, e.g. fb.fit(..., schedule=fb.schedules.Cosine())",
        "manual_seed": _SEEDS,
        "metrics": "write fb.evaluate(net, (x, y)): accuracy, or R² and MAE",
        "nn": "layers and losses stand in fastbp itself, fb.Linear(4, 8)",
        "no_grad": "leave it out, net.scores(x) keeps nothing for backward",
        "optim": "optimisers stand in fastbp itself, fb.SGD(lr=0.1)",
        "plot": "write history.plot(), net.plot(), or one of fb.plots",
        "predict": "write net.predict(x)",
        "save": "write net.save(path)",
        "save_model": "write net.save(path)",
        "seed": _SEEDS,
        "set_backend": "write fb.use_backend(name)",
        "set_num_threads": "write fb.fit(..., threads=1), or set FASTBP_NUM_THREADS",
        "set_seed": _SEEDS,
        "softmax": "write net.predict_proba(x)",
        "summary": "write net.summary()",
        "tensor": _ARRAYS,
        "to_onnx": _TO_ONNX,
        "to_torch": "write fb.torch.to_torch(net)",
        "utils": "give arrays, fb.fit(net, x, y); fb.datasets reads files",
        "zeros": _ARRAYS,
    },
    "fastbp.datasets": {
        "fetch_openml": 'write fb.datasets.mnist(), or fb.datasets.load("data.csv") for a file',
        "iris": 'there is fb.datasets.mnist(); write fb.datasets.load("iris.csv") for a file',
        "load_digits": "write fb.datasets.mnist()",
        "load_iris": 'there is fb.datasets.mnist(); write fb.datasets.load("iris.csv") for a file',
        "load_mnist": "write fb.datasets.mnist()",
        "read_csv": 'write fb.datasets.load("data.csv")',
        "train_test_split": "write fb.fit(net, x, y, validation=0.2), which keeps a fifth back",
    },
    "Sequential": {
        "add": "give all layers at once, fb.Sequential(fb.Linear(4, 8), fb.ReLU())",
        "append": "a network stays as it is; write fb.Sequential(*net[:], fb.ReLU()), with a copy",
        "apply": "write for layer in net: ...",
        "build": "leave it out, a network has its parameters at once",
        "children": "write net.layers",
        "clone": "write net.copy()",
        "coef_": "write net[0].w",
        "coefs_": "write [layer.w for layer in net if layer.parameter_shapes()]",
        "compile": "leave it out, loss and optimiser are arguments: "
        "fb.fit(net, x, y, loss=fb.CrossEntropyLoss(), optimizer=fb.Adam())",
        "count_params": "write net.params.size",
        "cpu": "leave it out, everything runs on the CPU",
        "cuda": "leave it out, everything runs on the CPU",
        "decision_function": "write net.scores(x)",
        "double": 'write net.astype("float64")',
        "export": _EXPORT,
        "fit_predict": "write net.fit(x, y), then net.predict(x)",
        "float": 'write net.astype("float32")',
        "freeze": "write for layer in net: layer.trainable = False",
        "get_weights": _FLAT + "; write net.params.copy()",
        "grad": "write net.grads",
        "half": 'write net.astype("float32"), the shortest there is',
        "intercepts_": "write [layer.b for layer in net if layer.parameter_shapes()]",
        "load_state_dict": "write fb.torch.load_state_dict(net, state), by PyTorch's names; "
        "net.params = array; or fb.load(path)",
        "load_weights": "write fb.load(path)",
        "loss_curve_": 'write history["train_loss"], of what net.fit returns',
        "modules": "write net.layers",
        "n_layers_": "write len(net)",
        "named_parameters": _FLAT,
        "num_parameters": "write net.params.size",
        "parameters": _FLAT + "; an optimiser is not told, fb.Adam(lr=0.01)",
        "partial_fit": "write net.fit(x, y, epochs=1), which goes on from where it stands",
        "requires_grad": "write for layer in net: layer.trainable = False",
        "requires_grad_": "write for layer in net: layer.trainable = False",
        "set_weights": "write net.params = array",
        "state_dict": "write fb.torch.state_dict(net), by PyTorch's names; net.save(path); or "
        "net.params.copy()",
        "to_onnx": _TO_ONNX,
        "to_torch": "write fb.torch.to_torch(net)",
        "to": 'write net.astype("float64") for a dtype; everything runs on the CPU',
        "trainable": "write for layer in net: layer.trainable = False",
        "transform": "write net.scores(x)",
        "weights": _FLAT,
        "zero_grad": _OVERWRITTEN,
    },
    "Layer": {
        "W": "write layer.w",
        "coef_": "write layer.w",
        "freeze": "write layer.trainable = False",
        "get_weights": "write layer.w.copy(), layer.b.copy()",
        "intercept_": "write layer.b",
        "kernel": "write layer.w",
        "parameters": "write layer.parameter_shapes() for their names and shapes",
        "requires_grad_": "write layer.trainable = False",
        "set_weights": "write layer.w = array; layer.b = array",
        "unfreeze": "write layer.trainable = True",
        "weights": "write layer.w",
        "zero_grad": _OVERWRITTEN,
    },
    "Optimizer": {
        "apply_gradients": "write optimizer.step(net)",
        "minimize": "write fb.fit(net, x, y, optimizer=optimizer)",
        "param_groups": "write layer.lr_factor and layer.trainable; optimizer.lr is for all",
        "state_dict": "write optimizer.memory and optimizer.steps",
        "zero_grad": _OVERWRITTEN,
    },
    "Dataset": {
        "X": "write data.x",
        "data": "write data.x",
        "labels": "write data.y",
        "shuffle": "leave it out, fb.fit draws the samples in a new order for each epoch",
        "shape": "write data.x.shape",
        "split": "write fb.fit(net, data, validation=0.2), which keeps a fifth back",
        "target": "write data.y",
        "train_test_split": "write fb.fit(net, data, validation=0.2), which keeps a fifth back",
    },
    "Evaluation": {
        "confusion": "write found.confusion_matrix",
        "error": "write 1 - found.accuracy",
        "f1": 'write fb.fit(..., metrics={"f1": f1_score}), of any function of y and predictions',
        "score": "write found.accuracy, or of values found.r2",
    },
    "History": {
        "history": 'write history["train_loss"], or history.to_dict()',
        "best_epoch": "write history.best().epoch",
        "to_pandas": "write history.to_dataframe()",
        "values": "write history.to_dict()",
    },
    "Schedule": {
        "get_last_lr": 'write history["lr"]',
        "step": "leave it out, fb.fit(..., schedule=schedule) asks for each step's factor",
    },
    "Loss": {
        "backward": _NO_TAPE + "; loss, gradient = fb.CrossEntropyLoss()(scores, y)",
        "forward": "write loss, gradient = fb.CrossEntropyLoss()(scores, y)",
        "item": "a loss function gives a number and its gradient: "
        "loss, gradient = fb.CrossEntropyLoss()(scores, y)",
    },
}

OPTIONS: dict[str, dict[str, str]] = {
    "Linear": {
        "activation": "write a layer of its own behind it: fb.Linear(4, 8), fb.ReLU()",
        "units": "write fb.Linear(inputs, outputs)",
        "input_dim": "write fb.Linear(inputs, outputs)",
        "input_shape": "write fb.Linear(inputs, outputs)",
        "kernel_initializer": 'write init="glorot"',
    },
    "Conv2d": {
        "activation": "write a layer of its own behind it: fb.Conv2d(1, 8, 3), fb.ReLU()",
        "filters": "write fb.Conv2d(in_channels, out_channels, kernel)",
        "dilation": "there is no dilation",
        "padding_mode": "padding is with zeros",
    },
    "Dropout": {"rate": "write p=0.5", "inplace": "leave it out"},
    "Layer": {
        "inplace": "leave it out, what a layer returns is read-only",
        "dtype": 'write fb.Sequential(..., dtype="float64")',
        "device": "leave it out, everything runs on the CPU",
        "name": "leave it out, a layer is known by its place, net[0]",
    },
    "Sequential": {
        "name": "leave it out",
        "layers": "write fb.Sequential(fb.Linear(4, 8), fb.ReLU()), or a list of layers",
        "device": "leave it out, everything runs on the CPU",
        "random_state": "write seed=0",
    },
    "Optimizer": {
        "betas": "write beta1=0.9, beta2=0.999",
        "params": "leave it out, fb.fit and optimizer.step(net) name the network",
        "decay": "write weight_decay=0.0001",
        "clipnorm": "write fb.fit(..., clip_norm=1.0)",
        "amsgrad": "leave it out, there is none",
        "maximize": "leave it out, the loss is minimised",
        "learning_rate_init": "write lr=0.01",
    },
    "Loss": {
        "reduction": _MEANS,
        "size_average": _MEANS,
        "from_logits": "leave it out, fb.CrossEntropyLoss() and fb.BCEWithLogitsLoss() take raw "
        "scores",
    },
    "EarlyStopping": {
        "restore_best_weights": "write restore_best=True",
        "metric": 'write monitor="val_loss"',
        "n_iter_no_change": "write patience=10",
        "tol": "write min_delta=0.0001",
        "verbose": "leave it out, history.stopped says why it ended",
    },
    "Checkpoint": {
        "filepath": "write path first, fb.Checkpoint(path)",
        "save_best_only": "write keep_best=True, the best epoch is kept beside the last",
        "save_freq": "write every=60, in seconds",
    },
    "CrossEntropyLoss": {"weight": "write fb.fit(..., class_weight=[1, 2, 3])"},
    "HuberLoss": {"beta": "write delta=1.0"},
}

# Other libraries' words for losses, optimisers, schedules, activations and starting values.
WORDS: dict[str, str] = {
    "absolute_error": "l1",
    "bce_with_logits": "bce",
    "binary_crossentropy": "bce",
    "exp": "exponential",
    "he_normal": "he",
    "kaiming": "he",
    "logistic": "sigmoid",
    "mae": "l1",
    "mean_absolute_error": "l1",
    "mean_squared_error": "mse",
    "poisson_nll": "poisson",
    "reduce_on_plateau": "plateau",
    "squared_error": "mse",
    "swish": "silu",
    "xavier": "glorot",
}
