"""PyTorch's tensors, data sets and loaders are taken wherever data are."""

import sys

import numpy as np
import pytest

import fastbp as fb

torch = pytest.importorskip("torch")
torch_data = torch.utils.data

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2
TENSORS = torch_data.TensorDataset(torch.tensor(X), torch.tensor(Y))


class Pairs(torch_data.Dataset):
    """A map-style data set, as people write them: tensors, and labels that are ints."""

    def __len__(self):
        return len(X)

    def __getitem__(self, row):
        return torch.tensor(X[row]), int(Y[row])


def net():
    return fb.Sequential(fb.Linear(3, 4), fb.Tanh(), fb.Linear(4, 2), dtype="float64")


def trained(*data, **options):
    made = net()
    fb.fit(made, *data, epochs=2, **options)
    return made.params


EXPECTED = trained(X, Y)


@pytest.mark.parametrize(
    "data",
    [
        (torch.tensor(X), torch.tensor(Y)),
        (torch.tensor(X).requires_grad_(), torch.tensor(Y, dtype=torch.int32)),
        (torch.tensor(X.T.copy()).T, torch.tensor(Y)),
        ((torch.tensor(X), Y),),
        (TENSORS,),
        (Pairs(),),
        (torch_data.Subset(Pairs(), range(40)),),
        (torch_data.DataLoader(TENSORS, batch_size=32, shuffle=True),),
        (torch_data.DataLoader(Pairs(), batch_size=None),),
    ],
    ids=lambda data: type(data[0]).__name__,
)
def test_fit_takes_them(data):
    assert np.array_equal(trained(*data), EXPECTED)


def test_a_loader_says_how_large_batches_are():
    loader = torch_data.DataLoader(TENSORS, batch_size=5, drop_last=True)
    assert np.array_equal(trained(loader), trained(X, Y, batch_size=5))
    assert np.array_equal(trained(loader, batch_size=8), trained(X, Y, batch_size=8))


def test_networks_are_judged_and_predict_on_them():
    made, loss = net(), fb.CrossEntropyLoss()
    expected = fb.evaluate(made, (X, Y), loss)
    for data in (TENSORS, Pairs(), torch_data.DataLoader(Pairs(), batch_size=7)):
        assert fb.evaluate(made, data, loss) == expected
        assert np.array_equal(made.predict(data), made.predict(X))
        assert np.array_equal(made.scores(data), made.scores(X))
        history = made.copy().fit(X, Y, epochs=1, validation=data)
        other = made.copy().fit(X, Y, epochs=1, validation=(X, Y))
        assert history["test_accuracy"] == other["test_accuracy"]
    assert np.array_equal(made.predict_proba(torch.tensor(X)), made.predict_proba(X))
    assert np.array_equal(made.predict(torch.tensor(X[0])), made.predict(X[0]))
    jobs = [fb.Job(net(), epochs=2), fb.Job(net(), epochs=2)]
    fb.fit_many(jobs, TENSORS)
    assert np.array_equal(jobs[1].net.params, EXPECTED)


@pytest.mark.parametrize(
    "dtype", ["bfloat16", "float16", "float32", "int16", "bool", "float8_e5m2"]
)
def test_tensors_of_any_type_are_numbers(dtype):
    tensor = torch.tensor([[1.0, 0.0, 1.0]]).to(getattr(torch, dtype))
    assert np.array_equal(net().scores(tensor), net().scores([[1.0, 0.0, 1.0]]))


def test_a_dataset_is_made_of_tensors():
    made = fb.datasets.Dataset(torch.tensor(X), torch.tensor(Y))
    assert np.array_equal(trained(made), EXPECTED)
    assert np.shares_memory(made.x, fb.datasets.Dataset(made.x, Y).x)


class Stream(torch_data.IterableDataset):
    def __iter__(self):
        yield X[0], Y[0]


class Rows(Pairs):
    def __getitem__(self, row):
        return torch.tensor(X[row])


class Growing(Pairs):
    def __getitem__(self, row):
        return torch.ones(row + 1), 0


def loader(**options):
    return torch_data.DataLoader(Pairs(), **options)


REFUSED = {
    "nowhere": (
        torch.ones(4, 3, device="meta"),
        "a tensor on the device 'meta', which has a shape",
    ),
    "sparse": (
        torch.ones(4, 3).to_sparse(),
        r"sparse tensor \(torch.sparse_coo\); pass all of its",
    ),
    "complex": (torch.ones(4, 3, dtype=torch.complex64), "complex64; take the real and imaginary"),
    "three": (
        torch_data.TensorDataset(*[torch.ones(4, 3)] * 3),
        "expected a data set of samples and targets, two parts a sample; got TensorDataset with 3",
    ),
    "stream": (Stream(), "got Stream, which does not say how many samples it has; take as many"),
    "streamed": (torch_data.DataLoader(Stream()), "got Stream, which does not say"),
    "rows": (Rows(), "expected a data set of pairs, a sample and its target; an element of Rows"),
    "growing": (Growing(), r"expected samples of one shape, got \(1,\) and \(2,\)"),
    "collate": (loader(collate_fn=list), "got a DataLoader with collate_fn, which would not count"),
    "sampler": (
        loader(sampler=torch_data.WeightedRandomSampler([1.0] * 40, 40)),
        "got a DataLoader with sampler, WeightedRandomSampler",
    ),
    "replacement": (
        loader(sampler=torch_data.RandomSampler(Pairs(), replacement=True)),
        "sampler, RandomSampler",
    ),
    "batches": (
        loader(batch_sampler=torch_data.BatchSampler(range(40), 4, False)),
        "got a DataLoader with batch_sampler",
    ),
    "drop": (loader(batch_size=7, drop_last=True), "got a DataLoader with drop_last=True"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_data_is_refused_by_name(what):
    data, message = REFUSED[what]
    given = (data, Y[:4]) if isinstance(data, torch.Tensor) else (data,)
    with pytest.raises((TypeError, ValueError), match=f"^train.*{message}") as caught:
        fb.fit(net(), *given)
    assert len(str(caught.value).splitlines()) == 1


def test_a_tensor_that_is_elsewhere_is_refused():
    class Elsewhere(torch.Tensor):
        device = torch.device("cuda", 1)

    tensor = torch.ones(4, 3).as_subclass(Elsewhere)
    with pytest.raises(TypeError, match=r"got a tensor on cuda:1; bring it here, x\.cpu\(\)"):
        net().scores(tensor)


def test_nothing_imports_pytorch(monkeypatch):
    for name in ("torch", "torch.nn", "torch.utils.data"):
        monkeypatch.setitem(sys.modules, name, None)  # an import fails
    made = net()
    made.fit(X.tolist(), Y.tolist(), epochs=2)
    assert np.array_equal(made.params, EXPECTED)
    assert made.evaluate(X.tolist(), Y.tolist()).accuracy == made.score(X, Y)
