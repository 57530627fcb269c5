"""What site/language_models.md says of other libraries: their losses beside ours, and its lines, run. Offline."""

import ast
import doctest
import re
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from kdcourse.losses import jsd_loss, kd_loss

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "site" / "language_models.md").read_text(encoding="utf-8")
WHY = "needs the extra kdcourse[llm]: make llm"

# What other libraries warn of is no error here.
pytestmark = pytest.mark.filterwarnings("ignore")

B, L, C = 2, 5, 11
END = 0


def draw(seed):
    return 2 * torch.randn(B, L, C, generator=torch.Generator().manual_seed(seed))


STUDENT, TEACHER = draw(0), draw(1)
MASK = torch.tensor([[True, True, True, False, False], [True, True, True, True, False]])


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(home),
            "KERAS_BACKEND": "torch",
            "KERAS_HOME": str(home),
        }.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def trl(offline):
    return pytest.importorskip("trl", reason=WHY)


@pytest.fixture(scope="module")
def keras(offline):
    return pytest.importorskip("keras", reason=WHY)


# ---- losses ----


def of_trainer(student, beta, temperature):
    from trl.trainer.distillation_trainer import _chunked_divergence_loss

    head = torch.eye(C)  # what is projected are the logits themselves
    return _chunked_divergence_loss(student, TEACHER, head, head, MASK, beta, temperature=temperature)[0]


def of_gkd(student, beta, temperature):
    from trl.experimental.gkd import GKDTrainer

    return GKDTrainer.generalized_jsd_loss(student, TEACHER, torch.where(MASK, 1, -100), beta, temperature)


def ours(student, beta, temperature):
    if beta in (0, 1):
        direction = "reverse" if beta else "forward"
        return kd_loss(student.mT, TEACHER.mT, temperature, direction=direction, mask=MASK)
    return jsd_loss(student.mT, TEACHER.mT, beta=beta, temperature=temperature)[MASK].mean()


@pytest.mark.slow
@pytest.mark.parametrize("theirs", [of_trainer, of_gkd])
@pytest.mark.parametrize("beta", [0.0, 0.001, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_trls_losses_and_their_gradients_are_ours_after_the_conversion(trl, theirs, beta, temperature):
    factor = temperature**2 / (beta * (1 - beta) if 0 < beta < 1 else 1)
    found = []
    for loss, scale in [(theirs, factor), (ours, 1)]:
        student = STUDENT.clone().requires_grad_()
        value = scale * loss(student, beta, temperature)
        value.backward()
        found.append((value.detach(), student.grad))
    assert_close(*found, rtol=2e-3, atol=2e-4)  # theirs in float32, of which beta = 0.001 leaves three digits
    assert (found[0][1][~MASK] == 0).all()


def test_trls_divergence_jumps_at_its_ends(trl):
    at_end, beside = (float(of_trainer(STUDENT, beta, 1.0)) for beta in (0.0, 0.001))
    assert 900 < at_end / beside < 1100


def test_keras_takes_logits_for_probabilities_unless_it_is_given_a_loss_object(keras):
    student = STUDENT.clone().requires_grad_()
    default = keras.distillation.LogitsDistillation().compute_loss(TEACHER, student)
    default.backward()
    p, q = ((logits / 3).clamp(1e-7, 1) for logits in (TEACHER, STUDENT))
    assert_close(default.detach(), (p * (p / q).log()).sum(-1).mean())
    assert (student.grad[(STUDENT < 0) | (STUDENT > 3)] == 0).all()
    meant = keras.distillation.LogitsDistillation(loss=keras.losses.KLDivergence())
    assert_close(meant.compute_loss(TEACHER, STUDENT), kd_loss(STUDENT.mT, TEACHER.mT, 3.0))


def test_a_loss_over_the_top_tokens_alone_does_not_see_the_rest():
    top = TEACHER.topk(3).indices
    student = (TEACHER + 10).scatter(-1, top, TEACHER.gather(-1, top))  # almost all that it says is elsewhere
    among = kd_loss(*(logits.gather(-1, top).mT for logits in (student, TEACHER)))
    assert among == pytest.approx(0, abs=1e-6)
    assert kd_loss(student.mT, TEACHER.mT) > 3


# ---- trainers ----


def tiny():
    """What the page's lines need, with random Llamas for the models and letters for tokens; END is the padding, too."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<end>", "<unknown>", *"abcdefghijklmnopqrstuvwxyz"]
    letters = Tokenizer(models.WordLevel({word: k for k, word in enumerate(words)}, unk_token="<unknown>"))
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=letters, eos_token="<end>", pad_token="<end>", unk_token="<unknown>", padding_side="left"
    )
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"

    def llama(width, seed, spread):
        torch.manual_seed(seed)
        shape = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 1, "num_attention_heads": 4}
        ends = {"bos_token_id": None, "eos_token_id": END, "pad_token_id": END}
        config = LlamaConfig(
            vocab_size=len(words), max_position_embeddings=64, initializer_range=spread, **shape, **ends
        )
        return LlamaForCausalLM(config)

    # A wide spread of initial weights gives the teacher something to say.
    return {
        "teacher": llama(64, 0, 0.3),
        "student": llama(32, 1, 0.02),
        "tokenizer": tokenizer,
        "prompts": ["the", "cat", "sat", "on", "a", "mat"] * 40,
        "scale": SMALL | {"max_completion_length": 16, "learning_rate": 5e-3, "max_steps": 40},
    }


SMALL = {
    "per_device_train_batch_size": 8,
    "logging_steps": 10,
    "lr_scheduler_type": "constant",
    "save_strategy": "no",
    "bf16": False,
    "use_cpu": True,
    "disable_tqdm": True,
}


def numbers(rows):
    """The columns of numbers in rows of text."""
    return zip(*([float(number) for number in re.findall(r"[\d.]+", row)] for row in rows), strict=True)


@pytest.mark.slow
def test_the_lines_of_the_page_run_and_print_what_it_shows(trl, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    real, lines = re.findall(r"```python\n(from .*?)```", PAGE, re.S)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.S)
    names = tiny()
    given = {node.targets[0].id: node.value for node in ast.parse(real).body if isinstance(node, ast.Assign)}
    assert given.keys() == names.keys()
    assert ast.literal_eval(given["scale"]).keys() <= trl.DistillationConfig.__dataclass_fields__.keys()
    exec(lines, names)
    printed = [row for row in capsys.readouterr().out.splitlines() if row.startswith("step")]
    print("\n".join(printed))
    steps, losses, cut = numbers(printed)
    stored_steps, stored_losses, stored_cut = numbers(shown.splitlines())
    assert steps == stored_steps
    assert losses == pytest.approx(stored_losses, rel=0.05)  # another machine may draw other tokens
    assert cut == pytest.approx(stored_cut, abs=10)
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.slow
def test_gkd_divides_by_tokens_of_the_data_set_and_leaves_the_temperature_to_sampling(trl, tmp_path, monkeypatch):
    from datasets import Dataset
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    names, calls = tiny(), []
    loss = GKDTrainer.generalized_jsd_loss

    def watched(**given):
        calls.append(given)
        return loss(**given)

    monkeypatch.setattr(GKDTrainer, "generalized_jsd_loss", staticmethod(watched))
    said = [{"role": "user", "content": "the"}, {"role": "assistant", "content": "cat"}]
    config = GKDConfig(output_dir=str(tmp_path), report_to="none", lmbda=1.0, max_new_tokens=16, max_steps=1, **SMALL)
    GKDTrainer(
        model=names["student"],
        teacher_model=names["teacher"],
        args=config,
        train_dataset=Dataset.from_dict({"messages": [said] * 8}),
        processing_class=names["tokenizer"],
    ).train()
    (call,) = calls
    assert config.temperature == 0.9
    assert "temperature" not in call
    assert call["num_items_in_batch"] == 8 * len("cat")
    assert (call["labels"] != -100).sum() > 2 * 8 * len("cat")


def test_gkd_keeps_the_end_of_a_sequence_that_is_the_padding_too(trl):
    from types import SimpleNamespace

    from trl.experimental.gkd import GKDTrainer

    written = SimpleNamespace(sequences=torch.tensor([[5, 6, 7, END, END], [5, 6, 7, 8, 9]]))
    model = SimpleNamespace(generate=lambda **given: written)
    prompts = {"prompts": torch.tensor([[5, 6]] * 2), "prompt_attention_mask": torch.ones(2, 2, dtype=torch.long)}
    labels = GKDTrainer.generate_on_policy_outputs(model, prompts, SimpleNamespace(eos_token_id=END))[2]
    assert labels.tolist() == [[-100, -100, 7, END, -100], [-100, -100, 7, 8, 9]]


# ---- the page ----


def test_the_page_names_the_versions_that_are_tested():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    for name, package in {"TRL": "trl", "Keras": "keras", "transformers": "transformers"}.items():
        assert f"{name} {pins[package]}" in PAGE


def test_the_examples_of_the_page_are_right():
    (block,) = re.findall(r"```python\n(>>> .*?)```", PAGE, re.S)
    examples = doctest.DocTestParser().get_doctest(block, {}, "language_models.md", None, 0)
    assert len(examples.examples) > 2
    assert doctest.DocTestRunner().run(examples).failed == 0
