"""Several networks that answer together."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp import storage

X = np.random.default_rng(1).normal(size=(50, 4))
Y = (X[:, 0] > X[:, 1]).astype(int) + (X[:, 2] > 0.8)
MEANINGS = {  # outputs and loss, and what a network learns with it
    "classes": (3, "cross-entropy", Y),
    "two classes": (1, "bce", Y > 0),
    "labels": (2, "bce", np.c_[Y > 0, Y > 1]),
    "values": (1, "mse", X[:, 0] * X[:, 1]),
    "counts": (1, "poisson", Y),
}


def networks(outputs=3, count=3, **options):
    """Networks that differ in their start alone."""

    def layers():
        return fb.Linear(4, 6), fb.Tanh(), fb.Dropout(0.2, seed=1), fb.Linear(6, outputs)

    return [fb.Sequential(*layers(), seed=seed, **options) for seed in range(count)]


@pytest.fixture(params=MEANINGS)
def trained(request):
    outputs, loss, y = MEANINGS[request.param]
    nets = networks(outputs, dtype="float64")
    for net in nets:
        fb.fit(net, X, y, loss=loss, epochs=3)
    assert nets[0].meaning == request.param
    return fb.Ensemble(nets), y, loss


def test_what_it_says_is_the_mean_of_what_its_networks_say(trained):
    together, y, loss = trained
    nets, meaning = [*together], together.meaning
    assert (len(together), together.inputs, together[1]) == (3, 4, nets[1])
    if meaning.is_values:
        said = np.mean([net.predict(X) for net in nets], axis=0)
        assert together.predict(X) == pytest.approx(said, rel=1e-14)
        with pytest.raises(ValueError, match="no probabilities"):
            together.predict_proba(X)
    else:
        chances = np.mean([net.predict_proba(X) for net in nets], axis=0)
        assert together.predict_proba(X) == pytest.approx(chances, rel=1e-14)
        most = chances > 0.5 if meaning == "labels" else chances.argmax(axis=1)
        assert (together.predict(X) == most).all()
    found = together.evaluate(X, y, loss=fb.losses.LOSSES[loss]())
    if meaning == "classes":
        assert found.accuracy == (together.predict(X) == y).mean()
        assert found.loss == pytest.approx(-np.log(chances[np.arange(50), y]).mean())
    elif meaning == "two classes":
        right = np.where(y, chances[:, 1], chances[:, 0])
        assert found.loss == pytest.approx(-np.log(right).mean())
    elif meaning.is_values:
        spread = np.square(y - y.mean()).sum()
        assert found.r2 == pytest.approx(1 - np.square(said - y).sum() / spread)


def test_its_file_gives_it_back_bit_for_bit(trained, tmp_path):
    together = trained[0]
    together.save(tmp_path / "model.safetensors")
    again = fb.load(tmp_path / "model.safetensors")
    assert isinstance(again, fb.Ensemble)
    assert (again.meaning, again.dtype, len(again)) == (together.meaning, together.dtype, 3)
    assert (again.scores(X) == together.scores(X)).all()
    assert (again.predict(X) == together.predict(X)).all()
    assert storage.to_bytes(again) == storage.to_bytes(together)


def test_one_network_says_what_it_says_alone():
    net = networks(count=1)[0]
    alone = fb.Ensemble([net])
    assert (alone.predict_proba(X) == net.predict_proba(X)).all()
    assert (alone.predict(X) == net.predict(X)).all()
    assert alone.predict_proba(X[0]) == pytest.approx(net.predict_proba(X[0]), rel=1e-6)
    assert int(alone.predict(X[0])) == int(net.predict(X[0]))
    assert alone[:].nets == (net,)
    assert "3 outputs" in str(alone) or "Linear" in str(alone)
    assert repr(alone).startswith("Ensemble(1 networks: Sequential(Linear(4, 6)")


def test_scores_far_out_stay_finite():
    nets = [fb.Sequential(fb.Linear(1, 2)) for _ in range(2)]
    for net, size in zip(nets, (900, -900), strict=True):
        net[0].w[...], net[0].b[...] = [[0, size]], 0
    together = fb.Ensemble(nets)
    assert together.scores([[1.0]]) == pytest.approx(np.log([[0.5, 0.5]]))
    nets[1][0].w[...] = [[0, 900]]
    assert together.scores([[1.0]]) == pytest.approx(np.array([[-900.0, 0.0]]))


def test_what_does_not_go_together_is_refused():
    nets = networks()
    other = networks(2)[0]
    for wrong, words in (
        ([], "at least one network"),
        (nets[0], "list of networks"),
        ([nets[0], "net"], "expected Sequential"),
        ([nets[0], other], "networks of one outputs; network 0 has 3, network 1 has 2"),
        ([nets[0], nets[1].astype("float64")], "one dtype"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            fb.Ensemble(wrong)
    with pytest.raises(TypeError, match="expected Sequential, got Ensemble"):
        fb.fit(fb.Ensemble(nets), X, Y)


def test_a_damaged_file_is_one_error(tmp_path):
    path = tmp_path / "model.safetensors"
    fb.Ensemble(networks()).save(path)
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    for key, value, words in (
        ("version", "3", "format version is '3'"),
        ("version", "1", "cannot load a network"),
        ("architecture", "[]", "1 to 1000 networks, got 0"),
        ("architecture", json.dumps(json.loads(header["__metadata__"]["architecture"])[:2]), "fit"),
        ("state", "[{}]", "cannot load"),
    ):
        metadata = header["__metadata__"] | {key: value}
        text = json.dumps(header | {"__metadata__": metadata}).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + size :])
        with pytest.raises(ValueError, match=words):
            fb.load(path)


def test_another_process_says_the_same_of_shuffled_columns(tmp_path):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"a": rng.normal(size=40), "word": rng.choice(["x", "y", "z"], 40)})
    frame["b"] = np.where(rng.random(40) < 0.2, np.nan, rng.random(40))
    frame["label"] = np.where(frame["a"] > 0, "up", "down")
    data = fb.datasets.table(frame, "label")
    nets = [
        fb.Sequential(fb.Linear(data.features, 5), fb.Tanh(), fb.Linear(5, 2), seed=k)
        for k in range(3)
    ]
    fb.fit_many([fb.Job(net, seed=k, epochs=5) for k, net in enumerate(nets)], data)
    together = fb.Ensemble(nets)
    together.save(tmp_path / "model.safetensors")
    frame.to_pickle(tmp_path / "frame.pkl")
    code = """
import fastbp as fb, pandas as pd
net, frame = fb.load("model.safetensors"), pd.read_pickle("frame.pkl")
found = net.predict_proba(frame[["b", "label", "word", "a"]])
print(found.to_numpy().tobytes().hex(), *found.columns, *net.predict(frame[["word", "b", "a"]]))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    bits, *words = run.stdout.split()
    assert bits == together.predict_proba(frame).to_numpy().tobytes().hex()
    assert words == ["down", "up", *together.predict(frame)]


def test_a_state_dict_is_of_one_network():
    pytest.importorskip("torch")
    nets = [fb.Sequential(fb.Linear(2, 3), seed=seed) for seed in (0, 1)]
    with pytest.raises(
        TypeError, match=r"state_dict: .* of one network, and these are 2; .*net\[0\]"
    ):
        fb.torch.state_dict(fb.Ensemble(nets))
