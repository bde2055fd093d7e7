"""scikit-learn's callbacks, which are told when fit and its epochs begin and end."""

from typing import Any

from .network import read, read_norms
from .steps import Steps


class Told:
    """The callbacks of an estimator during one ``fit``.

    Parameters
    ----------
    data : dict
        ``X``, ``y`` and ``metadata`` of the fit, as the callbacks' hooks get them.
    epochs : int
        How many there can be; 0 where there are none.
    """

    def __init__(self, estimator: Any, data: dict[str, Any], epochs: int) -> None:
        self.estimator, self.data = estimator, data
        self.context = estimator._init_callback_context(max_subtasks=epochs)
        self.context.call_on_fit_task_begin(estimator=estimator, **data)
        self.epoch: Any = None

    def epoch_begins(self) -> None:
        """Tell them."""
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def epoch_ends(self, steps: Steps) -> bool:
        """Tell them, with an estimator as it is now for those that want it; whether one stops."""

        def now() -> dict[str, Any]:
            steps.show()
            coefs, intercepts = read(steps.net)
            return {"coefs_": coefs, "intercepts_": intercepts, "norms_": read_norms(steps.net)}

        return bool(
            self.epoch.call_on_fit_task_end(
                estimator=self.estimator, **self.data, reconstruction_attributes=now
            )
        )

    def ends(self) -> None:
        """Tell them that the estimator is fitted."""
        self.context.call_on_fit_task_end(
            estimator=self.estimator, **self.data, reconstruction_attributes={}
        )
