"""Record size and SHA-256 of every file in `data/` in `data/checksums.json`. Run it after a data file was made anew.

python tools/checksums.py
"""

from kdcourse import data, store

RECORDED = {".parquet", ".png", ".safetensors", ".xz"}


def record():
    folder = data.folder()
    files = sorted(path for path in folder.rglob("*") if path.suffix in RECORDED)
    entries = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": store.sha256(path)}
        for path in files
    }
    store.save_json(folder / "checksums.json", entries)
    print(f"checksums.json: {len(entries)} files, {sum(entry['bytes'] for entry in entries.values()):,} bytes")


if __name__ == "__main__":
    record()
