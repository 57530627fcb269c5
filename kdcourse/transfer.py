"""Transfer sets that are not the task's: too few of its pictures, or others, on which a teacher is asked all the same.

`noise`, `digits`, `one_picture` and `crops` give pixels, uint8 [N, 784], of N pictures of 28 × 28. `asked` makes them
the training split of a data set, and `shown` has one signal for `kdcourse.sweep.sweep_blocks` for each transfer set.

    elsewhere = asked(garments, one_picture(2_000), load_teacher("fashion-mnist"))
    table = sweep(settings, elsewhere, epochs=10)
"""

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F

from kdcourse._arguments import integer
from kdcourse.data import DataSet, Split
from kdcourse.train import teacher_logits

SIDE = 28
REPEATED = 10  # how often each of a few pictures is shown
ROOM = 4  # so many pixels larger than a picture are the digits of which it is cut: they move by as much


def noise(n: int, seed: int = 0) -> torch.Tensor:
    """Pictures of which every pixel is drawn evenly from 0 to 255, and by itself.

    >>> noise(2).shape, noise(2).dtype
    (torch.Size([2, 784]), torch.uint8)
    """
    n, generator = integer("n", n, at_least=1), _generator(seed)
    return torch.randint(0, 256, (n, SIDE * SIDE), generator=generator, dtype=torch.uint8)


def digits(n: int, seed: int = 0) -> torch.Tensor:
    """Handwritten digits, of scikit-learn's 1,797 (Alpaydin and Kaynak 1998), enlarged and moved at random.

    Without replacement up to 1,797; beyond that each of them comes again, moved otherwise.

    >>> digits(3).shape
    torch.Size([3, 784])
    """
    from sklearn.datasets import load_digits

    n, generator = integer("n", n, at_least=1), _generator(seed)
    small = torch.from_numpy(load_digits().images).float()[:, None] * (255 / 16)
    rounds = [torch.randperm(len(small), generator=generator) for _ in range(-(-n // len(small)))]
    order = torch.cat(rounds)[:n]
    large = F.interpolate(small[order], SIDE + ROOM, mode="bilinear", align_corners=False)[:, 0]
    corners = torch.randint(0, ROOM + 1, (n, 2), generator=generator).tolist()
    moved = [one[y : y + SIDE, x : x + SIDE] for one, (y, x) in zip(large, corners, strict=True)]
    return torch.stack(moved).round().to(torch.uint8).flatten(1)


def one_picture(n: int, seed: int = 0, smallest: int = SIDE) -> torch.Tensor:
    """Crops of one photograph, scikit-learn's "china.jpg", in grey: n squares of random size and place.

    One augmented image can teach much of a task (Asano and Saeed 2023, arXiv:2112.00725). Squares are from `smallest`
    pixels wide to as high as the photograph, evenly on a logarithmic scale; they are shrunk to 28 × 28, half of them
    mirrored, stretched to full contrast, and half of them turned into their negative.

    Raises ValueError for squares higher than the photograph.

    >>> one_picture(2).shape
    torch.Size([2, 784])
    """
    from sklearn.datasets import load_sample_image

    n, generator = integer("n", n, at_least=1), _generator(seed)
    grey = torch.from_numpy(load_sample_image("china.jpg").copy()).float().mean(2)
    height, width = grey.shape
    smallest = integer("smallest", smallest, at_least=1)
    if smallest > height:
        raise ValueError(f"smallest must be at most the photograph's {height} pixels, got {smallest}")
    crops = torch.empty(n, SIDE, SIDE)
    for crop, (size, down, right, mirrored, inverted) in zip(crops, torch.rand(n, 5, generator=generator), strict=True):
        side = round(float(smallest * (height / smallest) ** size))
        y, x = round(float(down * (height - side))), round(float(right * (width - side)))
        square = F.adaptive_avg_pool2d(grey[None, y : y + side, x : x + side], SIDE)[0]
        square = square.flip(1) if mirrored < 0.5 else square
        square = -square if inverted < 0.5 else square
        crop.copy_((square - square.min()) / (square.max() - square.min()).clamp(min=1))
    return (255 * crops).round().to(torch.uint8).flatten(1)


def crops(pixels: torch.Tensor, seed: int = 0, smallest: int = 10) -> torch.Tensor:
    """Another view of each picture, uint8 [N, 784]: a square of it, from `smallest` pixels wide on, enlarged again.

    >>> crops(noise(2)).shape
    torch.Size([2, 784])
    """
    generator, pictures = _generator(seed), pixels.view(-1, 1, SIDE, SIDE).float()
    views = torch.empty(len(pictures), SIDE, SIDE)
    for view, picture, (size, down, right) in zip(
        views, pictures, torch.rand(len(pictures), 3, generator=generator), strict=True
    ):
        side = round(float(smallest + (SIDE - smallest) * size))
        y, x = round(float(down * (SIDE - side))), round(float(right * (SIDE - side)))
        square = picture[None, :, y : y + side, x : x + side]
        view.copy_(F.interpolate(square, SIDE, mode="bilinear", align_corners=False)[0, 0])
    return views.round().to(torch.uint8).flatten(1)


def asked(data: DataSet, pixels: torch.Tensor, teacher: torch.nn.Module, device: str = "auto") -> DataSet:
    """A data set of pictures whose training split is other pictures, uint8 [N, D], with what the teacher says of them.

    Nobody has labels for these: they are the teacher's first choices. Validation and test stay the task's.

    Raises ValueError for a data set that has no pixels, and for pictures of another size.

    >>> from kdcourse.data import load
    >>> from kdcourse.train import load_teacher
    >>> asked(load("fashion-mnist"), noise(20), load_teacher("fashion-mnist"), "cpu").train
    Split(20 examples)
    """
    before, wanted = data.train, _pixels(data).shape[1]
    if pixels.ndim != 2 or pixels.shape[1] != wanted:
        raise ValueError(f"pixels must be [N, {wanted}], as the data's are, got {list(pixels.shape)}")
    inputs = Split(torch.zeros(len(pixels), dtype=torch.int64), pixels=pixels, scale=before.scale).inputs
    said = teacher_logits(teacher, inputs, device=device)
    return replace(data, train=Split(said.argmax(1), said, pixels=pixels, scale=before.scale))


def cropped(data: DataSet, teacher: torch.nn.Module, seed: int, teacher_seed: int, device: str = "auto") -> DataSet:
    """Students see a crop of each picture, drawn with `seed`; the teacher is asked about the crop of `teacher_seed`.

    With the same seed both see the same view (Beyer et al. 2022, section 3.1: "consistent teaching").

    >>> from kdcourse.data import load
    >>> from kdcourse.train import load_teacher
    >>> cropped(load("fashion-mnist").subset(20), load_teacher("fashion-mnist"), 0, 1, "cpu").train
    Split(20 examples)
    """
    its, pixels = (crops(_pixels(data), one) for one in (teacher_seed, seed))
    said = asked(data, its, teacher, device).train.teacher_logits
    return replace(data, train=Split(data.train.labels, said, pixels=pixels, scale=data.train.scale))


def shown(n: int, teacher: torch.nn.Module, device: str = "auto") -> dict[str, Callable[[DataSet, int], DataSet]]:
    """The transfer sets of lesson 06 by name, each a function of a block's data set and its number.

    All have n pictures. Those of the task are chosen among the block's, of which there should be 12 n / 5 or so:

    - "the task's own": the first n
    - "confident pictures": of which the teacher is surest
    - "few pictures": the first n / 10, ten times each
    - "half the classes": those of the first half, or where the block's number is odd of the other

    "digits", "one photograph" and "noise" are none of the task's.

    >>> from kdcourse.data import load
    >>> from kdcourse.train import load_teacher
    >>> garments = load("fashion-mnist").subset(60)
    >>> sets = shown(20, load_teacher("fashion-mnist"), "cpu")
    >>> sets["half the classes"](garments, 1).train.labels.unique().tolist()
    [5, 6, 7, 8, 9]
    """
    n = integer("n", n, at_least=REPEATED)

    def of_block(choose):
        return lambda data, block: replace(data, train=choose(data, block)[:n])

    def confident(data, block):
        sure = data.train.teacher_logits.softmax(1).amax(1)
        return data.train[sure.argsort(descending=True, stable=True)]

    def half(data, block):
        return data.train[(data.train.labels < len(data.class_names) // 2) == (block % 2 == 0)]

    chosen = {
        "the task's own": lambda data, block: data.train,
        "confident pictures": confident,
        "few pictures": lambda data, block: data.train[torch.arange(n) % (n // REPEATED)],
        "half the classes": half,
    }

    def of(pictures):
        return lambda data, block: asked(data, pictures(n, block), teacher, device)

    made = {"digits": digits, "one photograph": one_picture, "noise": noise}
    return {name: of_block(choose) for name, choose in chosen.items()} | {name: of(make) for name, make in made.items()}


def views(n: int, teacher: torch.nn.Module, device: str = "auto") -> dict[str, Callable[[DataSet, int], DataSet]]:
    """Crops of the first n pictures, each a function of a block's data set and its number.

    The student sees one, and the teacher is asked about the "same crop", or about the "other crop".

    >>> from kdcourse.data import load
    >>> from kdcourse.train import load_teacher
    >>> garments = load("fashion-mnist").subset(60)
    >>> views(20, load_teacher("fashion-mnist"), "cpu")["other crop"](garments, 0).train
    Split(20 examples)
    """
    n = integer("n", n, at_least=1)

    def seen(apart):
        return lambda data, block: cropped(data.subset(n), teacher, block, block + apart, device)

    return {"same crop": seen(0), "other crop": seen(1_000)}


def mended(n: int, teacher: torch.nn.Module, device: str = "auto") -> dict[str, Callable[[DataSet, int], DataSet]]:
    """Two of the sets of `shown`, a tenth of their n pictures replaced by pictures of the task that they lack.

    "half the classes" gets a tenth of the other half, and "digits" as many of the block's first pictures.

    >>> from kdcourse.data import load
    >>> from kdcourse.train import load_teacher
    >>> garments = load("fashion-mnist").subset(60)
    >>> mended(20, load_teacher("fashion-mnist"), "cpu")["half the classes"](garments, 1).train.labels.ge(5).sum()
    tensor(18)
    """
    n = integer("n", n, at_least=REPEATED)
    few = n // REPEATED

    def half(data, block):
        mine = (data.train.labels < len(data.class_names) // 2) == (block % 2 == 0)
        of_half, rest = mine.nonzero().flatten(), (~mine).nonzero().flatten()
        return replace(data, train=data.train[torch.cat([of_half[: n - few], rest[:few]])])

    def mixed(data, block):
        return asked(data, torch.cat([digits(n - few, block), _pixels(data)[:few]]), teacher, device)

    return {"half the classes": half, "digits": mixed}


def _pixels(data):
    if data.train.pixels is None:
        raise ValueError(f"data must be pictures, got {data.name!r}, whose training split has no pixels")
    return data.train.pixels


def _generator(seed):
    return torch.Generator().manual_seed(integer("seed", seed, at_least=0))
