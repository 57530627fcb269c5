"""What g2p-en, a model whose training words are not known, says of CMUdict's words, and of words it got later.

Beside it stands what our teacher and our student say, of which we know that they have learned from our training words
alone: the student from the first 2,000 of them.
"""

import lzma
from typing import TYPE_CHECKING

from kdcourse.data.files import checked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["answers"]

SAID = "cmudict/g2p-en-said.tsv.xz"
COLUMNS = ("set", "word", "listed", "g2p_en", "teacher", "student")


def answers() -> "pd.DataFrame":
    """What the models say of words that are letters only, without stress, the likeliest phoneme at every step.

    Returns
    -------
    DataFrame
        One row a word. set: "train" (a sample) and "test" are our splits; "added by 2018" and "added later" are words
        that CMUdict got after its version 0.7b, by February 2018 and after that. word; listed, its pronunciations, and
        g2p_en, teacher and student, what each says: tuples of phonemes, as `lm.pronunciation_errors` takes them.

    Raises
    ------
    kdcourse.data.DataError
        If a file is missing or altered.

    Examples
    --------
    >>> said = answers().set_index("word")
    >>> " ".join(said.loc["tensors", "g2p_en"]), said.loc["tensors", "listed"]
    ('T EH N S ER Z', (('T', 'EH', 'N', 'S', 'ER', 'Z'),))
    """
    import pandas as pd

    with lzma.open(checked(SAID), "rt", encoding="utf-8", newline="\n") as file:
        table = pd.read_csv(file, sep="\t", quoting=3, dtype=str, keep_default_na=False)
    table["listed"] = [tuple(tuple(one.split()) for one in said.split(" / ")) for said in table["listed"]]
    for model in ("g2p_en", "teacher", "student"):
        table[model] = [tuple(said.split()) for said in table[model]]
    return table
