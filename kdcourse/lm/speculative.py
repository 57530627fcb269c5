"""A small model proposes, the large one checks several tokens at once; what is written is the large one's."""

import copy
import math
from typing import NamedTuple

import torch

from kdcourse._arguments import integer, not_negative
from kdcourse._arguments.logits import check_temperature
from kdcourse._examples import home_of, in_mode
from kdcourse.data.cmudict import END, LONGEST, PAD, START
from kdcourse.lm.decode import BATCH, batches, tempered
from kdcourse.lm.model import Cache, Transformer


class Speculation(NamedTuple):
    """How the proposals of a draft fared, over all rows.

    Attributes
    ----------
    written : int
        Tokens, END among them: as many passes as the teacher alone takes, one after the other for each row.
    steps : int
        Passes that the teacher took for them.
    tested, accepted : int
        Proposals that the teacher looked at, up to the first that it turned down; and those that it took.
    overlap : float
        The mean, over the proposals that were tested, of 1 minus the total variation between the draft's and the
        teacher's distribution there: the probability that a proposal is accepted (Leviathan et al. 2023, theorem 3.5).
    standard_error : float
        Of `acceptance`, were each proposal accepted with exactly that probability.
    """

    written: int
    steps: int
    tested: int
    accepted: int
    overlap: float
    standard_error: float

    @property
    def acceptance(self) -> float:
        """The share of the tested proposals that were accepted; 0 where there were none."""
        return self.accepted / self.tested if self.tested else 0.0

    @property
    def steps_saved(self) -> float:
        """The share of the teacher's passes that were not needed; 0 where there were none."""
        return 1 - self.steps / self.written if self.written else 0.0


def speculative(
    teacher: Transformer,
    draft: Transformer,
    prefixes: torch.Tensor,
    *,
    ahead: int = 4,
    temperature: float = 1.0,
    seed: int = 0,
    longest: int = LONGEST + 1,
) -> tuple[torch.Tensor, Speculation]:
    """Samples from the teacher, in fewer of its passes (Leviathan et al. 2023, algorithm 1).

    The draft writes `ahead` tokens, one by one; the teacher reads them in one pass. A token x is accepted with
    probability min(1, p(x) / q(x)), p the teacher's distribution and q the draft's. In place of the first that is not,
    a token is drawn from max(0, p - q), scaled to sum to 1; if all are accepted, one more is drawn from p. So every
    token has the distribution p, whatever the draft.

    Parameters
    ----------
    teacher, draft : Transformer
        Of one vocabulary, on one device.
    prefixes : int64 Tensor [N, L]
        0 where they are padded. Rows of a batch go on together, until the last has ended; with one row, the time is
        that of a single request.
    ahead : int
        Tokens that the draft proposes at a time, >= 1.
    temperature : float
        The logits of both are divided by it, from 1e-6 to 1e6; 0 is greedy decoding.
    seed : int
        Of the draws.
    longest : int
        Tokens, END among them.

    Returns
    -------
    tokens : int64 Tensor [N, longest]
        END behind the last, then 0; at temperature 0 what `greedy` gives, up to ties.
    speculation : Speculation

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> teacher, draft = (Transformer(69, width=8, layers=n, heads=1, seed=0) for n in (2, 1))
    >>> tokens, speculation = speculative(teacher, draft, torch.tensor([[5, 3, 22]]), longest=4)
    >>> tokens.shape, speculation.steps <= speculation.written
    (torch.Size([1, 4]), True)
    """
    ahead, longest = integer("ahead", ahead, at_least=1), integer("longest", longest, at_least=1)
    if temperature := not_negative("temperature", temperature):
        check_temperature(temperature)
    sizes = [model.recipe["vocabulary"] for model in (teacher, draft)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"draft must have the vocabulary of teacher, got {sizes[1]} and {sizes[0]} tokens")
    draws = torch.Generator(device=home_of(teacher)).manual_seed(integer("seed", seed, at_least=0))
    tokens, counts = torch.full((len(prefixes), longest), PAD), torch.zeros(5, dtype=torch.float64)
    with torch.no_grad(), in_mode(teacher, training=False), in_mode(draft, training=False):
        for rows, prefix in batches(prefixes.to(home_of(teacher)), BATCH):
            tokens[rows], more = _speculate(teacher, draft, prefix, ahead, temperature, draws, longest)
            counts += more
    steps, tested, accepted, overlap, variance = counts.tolist()
    speculation = Speculation(
        written=int((tokens != PAD).sum()),
        steps=int(steps),
        tested=int(tested),
        accepted=int(accepted),
        overlap=overlap / max(tested, 1),
        standard_error=math.sqrt(variance) / max(tested, 1),
    )
    return tokens, speculation


def _speculate(teacher, draft, prefix, ahead, temperature, draws, longest):
    """(tokens [B, longest], [steps, tested, accepted, sum of the overlaps, sum of their variances]) for one batch."""
    batch, device = len(prefix), prefix.device
    teacher, draft = _row_by_row(teacher), _row_by_row(draft)
    caches = teacher.read(prefix), draft.read(prefix)
    written = torch.full((batch, longest + ahead + 1), PAD, device=device)  # what is too long is cut off at the end
    length = torch.zeros(batch, dtype=torch.int64, device=device)
    last = torch.full((batch, 1), START, device=device)
    done = torch.zeros(batch, dtype=torch.bool, device=device)
    places = torch.arange(ahead + 1, device=device)
    counts = torch.zeros(5, dtype=torch.float64)

    def draw(chances):
        return torch.multinomial(chances, 1, generator=draws)

    while not done.all():
        proposed, q = [last], []
        for _ in range(ahead):
            q.append(_probabilities(draft.write(caches[1], proposed[-1]), temperature)[:, :, 0])
            proposed.append(draw(q[-1]))
        draft.write(caches[1], proposed[-1])  # its cache then holds as many tokens as the teacher's
        tokens = torch.cat(proposed, 1)
        p = _probabilities(teacher.write(caches[0], tokens), temperature)  # [B, V, ahead + 1]
        proposals, q = tokens[:, 1:], torch.stack(q, 2)
        p_there, q_there = (part.gather(1, proposals[:, None])[:, 0] for part in (p[:, :, :ahead], q))
        chance = torch.rand(p_there.shape, generator=draws, device=device, dtype=p.dtype)
        runs = (chance * q_there < p_there).cumprod(1)  # 1 up to the first that is turned down
        accepted = runs.sum(1)

        # Where one was turned down the draft's share is taken off; behind the last there is none to take.
        rest = (p - torch.nn.functional.pad(q, (0, 1))).clamp(min=0)
        p_next, rest = (
            part.gather(2, accepted[:, None, None].expand(-1, p.shape[1], 1))[:, :, 0] for part in (p, rest)
        )
        rest = torch.where(rest.sum(1, keepdim=True) > 0, rest, p_next)  # nothing is left where p is q but for rounding
        further = torch.where(places < accepted[:, None], torch.nn.functional.pad(proposals, (0, 1)), draw(rest))

        behind_end = ((further == END).cumsum(1) - (further == END).int()) > 0
        unwritten = behind_end | (places > accepted[:, None]) | done[:, None]
        tested = ~(behind_end | done[:, None])[:, :ahead] & (length[:, None] + places[:ahead] < longest)
        tested &= (places[:ahead] == 0) | torch.nn.functional.pad(runs, (1, -1)).bool()
        overlap = torch.minimum(p[:, :, :ahead], q).sum(1)[tested]
        few = [
            (~done).sum(),
            tested.sum(),
            (tested & runs.bool()).sum(),
            overlap.sum(),
            (overlap * (1 - overlap)).sum(),
        ]
        counts += torch.stack([one.double().cpu() for one in few])

        written.scatter_(
            1, (length[:, None] + places).clamp(max=written.shape[1] - 1), further.masked_fill(unwritten, PAD)
        )
        for cache in caches:
            take_back(cache, ahead + 1, accepted + 1)
        last = further.gather(1, accepted[:, None])
        length = length + (~unwritten).sum(1)
        done = done | (written == END).any(1) | (length >= longest)
    return written[:, :longest].cpu(), counts


class _RowByRow(Transformer):
    """A model whose cache stands at a place of its own in each row."""

    def _turn(self, start, count):
        places = (
            torch.arange(count, device=self.angles.device)
            + torch.as_tensor(start, device=self.angles.device)[..., None]
        )
        angles = places[..., None, None] * self.angles
        return angles.cos(), angles.sin()  # [T, 1, D/2], or [B, T, 1, D/2]


def _row_by_row(model):
    """The same model, weights and all, as a `_RowByRow`. (The code of `Transformer` names results of lesson 08.)"""
    model = copy.copy(model)
    model.__class__ = _RowByRow
    return model


def take_back(cache: Cache, count: int, kept: torch.Tensor) -> None:
    """Of the last `count` tokens only the first `kept` [B] were written: nothing looks at the others any more.

    From then on the cache counts what is written row by row.
    """
    stays = torch.arange(count, device=kept.device) < kept[:, None]
    cache.allowed = torch.cat([cache.allowed[:, :-count], stays], 1)
    cache.written = cache.written - count + kept  # type: ignore[assignment]


def _probabilities(logits, temperature):
    """[B, V, P] of logits [B, V, P]; at temperature 0 all on the likeliest."""
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(1, logits.argmax(1, keepdim=True), 1.0)
    return tempered(logits, temperature)
