"""What a run looks like, as PNG files."""

import io

from training.record import Epoch


def training_curves(history: tuple[Epoch, ...], best_epoch: int) -> bytes:
    """Loss and accuracy of both splits over the epochs, the chosen epoch marked.

    Returns:
        A PNG file's content.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [epoch.epoch for epoch in history]
    panels = [("loss", [epoch.loss for epoch in history], [epoch.validation_loss for epoch in history])]
    if history[0].accuracy is not None:
        training = [100 * (epoch.accuracy or 0) for epoch in history]
        validation = [100 * (epoch.validation_accuracy or 0) for epoch in history]
        panels.append(("accuracy, %", training, validation))
    for axes, (title, training, validation) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        axes.plot(epochs, training, marker="o", label="training")
        axes.plot(epochs, validation, marker="o", label="validation")
        axes.axvline(best_epoch, color="grey", linestyle=":", label=f"best epoch ({best_epoch})")
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    return content.getvalue()
