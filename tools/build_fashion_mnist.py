"""Turn the original Fashion-MNIST files into `data/fashion-mnist/`: contact sheets and labels, losslessly.

apt-get install dataset-fashion-mnist
python tools/build_fashion_mnist.py /usr/share/datasets/fashion-mnist
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from checksums import record
from PIL import Image

from kdcourse import data, store
from kdcourse.data import fashion_mnist

CLASS_NAMES = [
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
]
VALIDATION_FROM = 50_000  # of the 60,000 original training images, the last 10,000 are for validation


def read_idx(path):
    """The array in a gzipped IDX file (LeCun's format: magic, one 32-bit size per axis, then the bytes)."""
    content = gzip.decompress(path.read_bytes())
    axes = content[3]
    shape = np.frombuffer(content, ">u4", count=axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the folder with the four .gz files")
    source = parser.parse_args().source
    folder = data.folder() / "fashion-mnist"
    folder.mkdir(parents=True, exist_ok=True)

    images = read_idx(source / "train-images-idx3-ubyte.gz").reshape(-1, 784)
    labels = read_idx(source / "train-labels-idx1-ubyte.gz")
    test_images = read_idx(source / "t10k-images-idx3-ubyte.gz").reshape(-1, 784)
    test_labels = read_idx(source / "t10k-labels-idx1-ubyte.gz")

    sheets = {f"train-{k}.png": images[10_000 * k : 10_000 * (k + 1)] for k in range(5)}
    sheets |= {"validation.png": images[VALIDATION_FROM:], "test.png": test_images}
    for name, pictures in sheets.items():
        Image.fromarray(fashion_mnist.pictures_to_sheet(pictures)).save(folder / name, optimize=True)
        print(f"{name}: {(folder / name).stat().st_size:,} bytes")

    train = images[:VALIDATION_FROM].astype(np.float64)
    store.save_tensors(
        folder / "labels.safetensors",
        {
            name: torch.from_numpy(part.copy())
            for name, part in [
                ("train", labels[:VALIDATION_FROM]),
                ("validation", labels[VALIDATION_FROM:]),
                ("test", test_labels),
            ]
        },
        {"class_names": CLASS_NAMES, "pixel_mean": train.mean(), "pixel_deviation": train.std()},
    )
    record()


if __name__ == "__main__":
    main()
