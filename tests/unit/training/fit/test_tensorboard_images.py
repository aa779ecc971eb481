import torch

from training.fit.tensorboard_images import REACH, STEPS, tiled, traversals


def test_traversals__change_one_dimension_at_a_time_from_end_to_end() -> None:
    latent = torch.tensor([0.5, -0.5, 0.25])
    # A decoder whose image is the latent itself shows what was decoded.
    shown = traversals(latent, lambda z: z[:, None, None, :])[:, :, 0, 0]  # [D,STEPS,D]
    for row in range(3):
        torch.testing.assert_close(shown[row, :, row], torch.linspace(-REACH, REACH, STEPS))
        others = [d for d in range(3) if d != row]
        assert (shown[row][:, others] == latent[others]).all()


def test_tiled__puts_rows_below_each_other() -> None:
    images = torch.arange(6.0).view(2, 3, 1, 1, 1).expand(2, 3, 1, 4, 5)
    page = tiled(images)
    assert page.shape == (1, 8, 15)
    assert page[0, ::4, ::5].tolist() == [[0, 1, 2], [3, 4, 5]]
