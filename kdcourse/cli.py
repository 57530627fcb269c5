"""The command `kdcourse`. It reads arguments and prints; the work is done by modules that are imported when needed."""

import difflib
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import kdcourse
from kdcourse import _course

app = typer.Typer(
    help="A course on knowledge distillation that measures every claim it teaches.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kdcourse {kdcourse.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


@app.command()
def doctor() -> None:
    """Check that this machine is ready: Python, packages, torch, threads, data, widgets. Exit status 1 if not."""
    from kdcourse import doctor

    raise typer.Exit(0 if doctor.report() else 1)


@app.command()
def lab(
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where JupyterLab listens.")] = 8888,
) -> None:
    """Check the machine, then open your own copy of lesson 00 in JupyterLab."""
    from kdcourse import doctor, lab

    _course.require_lab()
    lab.copy()
    if not doctor.report():
        print("Opening the course all the same.")
    raise typer.Exit(lab.start(port, browser))


@app.command()
def update() -> None:
    """After a new version of the course: renew the notebooks that you did not change, put the others' beside yours."""
    from kdcourse import lab

    print(lab.told(lab.update()))


@app.command()
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LESSON]...", help="Lessons, as 01 or 01_soft_labels; none means all."),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Fewer seeds and epochs: seconds instead of minutes.")] = False,
    solved: Annotated[bool, typer.Option("--solved", help="Run the solved form instead of the learner's.")] = False,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for executed notebooks and pages.")] = Path("runs"),
) -> None:
    """Run lessons without a browser; leave an HTML page of each. Exit status 1 if one stops at an error."""
    from kdcourse import lessons

    with _said("LESSON"):
        paths = lessons.find(names or [])
    results = []
    for path in paths:
        result = lessons.run(path, out, fast=fast, solved=solved, progress=sys.stderr.isatty())
        print(result, flush=True)
        results.append(result)
    ran, seconds = sum(not result.error for result in results), sum(result.seconds for result in results)
    print(f"{ran} of {len(results)} lessons ran to the end in {seconds:.0f} s; the pages are in {out}")
    raise typer.Exit(0 if ran == len(results) else 1)


@app.command()
def claims(
    names: Annotated[list[str] | None, typer.Argument(metavar="[CLAIM]...", help="Claims; none means all.")] = None,
    run: Annotated[bool, typer.Option("--run", help="Run the experiments again.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--setting", help="Only in this data set, as flights. May be given again."),
    ] = None,
    choose: Annotated[
        bool, typer.Option("--choose", help="With --run: choose temperatures, rates and so on again, not only train.")
    ] = False,
) -> None:
    """Show what the last full run found, everything of the claims that are named, or run their experiments again.

    What was trained is kept, so a run that was interrupted goes on where it stopped.
    """
    from kdcourse import claims

    known = list(dict.fromkeys(setting for claim in claims.CLAIMS for setting in claim.settings))
    if unknown := [setting for setting in settings or [] if setting not in known]:
        raise typer.BadParameter(f"no setting {unknown[0]!r}; there are {', '.join(known)}", param_hint="--setting")
    with _said("CLAIM"), _closest("claim", names or [], [claim.name for claim in claims.CLAIMS]):
        jobs: list = [(claim, None) for claim in claims.CLAIMS]
        if choose and not run:
            raise typer.BadParameter("only a --run can choose again", param_hint="--choose")
        if run or settings:
            jobs = claims.planned(*names or [], settings=settings)
        if not run and names:
            # What is said of one setting is a block that begins with its name.
            others = tuple(f"  {setting}: " for setting in known if settings and setting not in settings)
            blocks = [block for name in names for block in claims.describe(name).split("\n\n")]
            print("\n\n".join(block for block in blocks if not block.startswith(others)))
            return
        if not run:
            found = ((claim, at, claims.plain(claim, claims.result(claim.name), at)) for claim, at in jobs)
            print("\n".join(f"{one.name}{f', {at}' if at else ''}: {one.wording}\n  {said}" for one, at, said in found))
            return
        results, start = claims.run(*names or [], settings=settings, choose=choose), time.monotonic()
        for number, (claim, setting) in enumerate(jobs, 1):
            minutes = (time.monotonic() - start) / 60
            print(f"{number} of {len(jobs)}: {claim.name}, {setting} ({minutes:.0f} minutes so far)", flush=True)
            measured = next(results)
            said = [claims.plain(claim, measured, setting), claims.choices_made(measured, setting)]
            print("\n".join(f"  {one}" for one in said if one), flush=True)


@app.command()
def progress(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="After --gather: exports.")] = None,
    export: Annotated[
        str | None, typer.Option(metavar="csv|json", help="Print it for an instructor instead, in this format.")
    ] = None,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Write what is made to this file.")] = None,
    html: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write it to this file instead, as a page that prints on one sheet."),
    ] = None,
    gather: Annotated[bool, typer.Option("--gather", help="Put the exports of a class into one table.")] = False,
) -> None:
    """Show which exercises and quizzes you have done, lesson by lesson, and what is next. Nothing is sent anywhere."""
    from kdcourse import check, progress, quiz

    if gather != bool(files):
        raise typer.BadParameter("--gather needs files, and files need --gather", param_hint="FILE")
    if gather:
        with _written(out or Path(), "--out"):
            raise typer.Exit(0 if progress.report(files or [], out) else 1)
    if out is not None and export is None:
        raise typer.BadParameter("needs --export csv or --export json beside it", param_hint="--out")
    if html is not None and export is not None:
        raise typer.BadParameter("goes without --export", param_hint="--html")
    quizzes = {name: quiz.load(name) for name in quiz.names()}
    table = progress.table(
        {exercise.name: exercise.lesson for exercise in check.EXERCISES},
        {name: (one.lesson, len(one.questions)) for name, one in quizzes.items()},
    )
    if html is not None:
        with _written(html, "--html"):
            progress.save_export(progress.certificate(table), html)
        print(f"the page is {html}")
        return
    if export is None:
        print(f"{progress.show(table)}\n\n{progress.next_up(table)}")
        return
    with _said("--export"):
        text = progress.export(table, export)
    if out is None:
        print(text, end="")
        return
    with _written(out, "--out"):
        progress.save_export(text, out)
    print(f"{len(table)} rows are in {out}")


@app.command()
def quiz(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A quiz, as 01 or final, or interview for the cards; none lists them."),
    ] = None,
    lesson: Annotated[
        str | None, typer.Argument(metavar="[LESSON]", help="After interview: the cards of this lesson only, as 01.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", dir_okay=False, metavar="FILE", help="Write the quiz as a page of its own instead."),
    ] = None,
) -> None:
    """Take a quiz here in the terminal: an explanation after every answer, and the missed ones again at the end."""
    from kdcourse import progress, quiz
    from kdcourse.quiz import terminal

    if name is None and html is not None:
        raise typer.BadParameter("needs the name of a quiz beside it", param_hint="--html")
    if lesson is not None and name != quiz.CARDS:
        raise typer.BadParameter(f"a lesson is named only after {quiz.CARDS}", param_hint="LESSON")
    with _said("NAME"), _closest("quiz", [name] if name else [], [*quiz.names(), quiz.CARDS]):
        if name and name.isdecimal():  # of its lesson
            name = next((one for one in quiz.names() if one.startswith(f"{name:0>2}_")), name)
        if name is None:
            terminal.show_list(progress.load()["quizzes"])
        elif name == quiz.CARDS and html is None:
            terminal.turn_cards(quiz.cards(lesson))
        elif html is None:
            terminal.ask(quiz.load(name))
        else:
            with _written(html, "--html"):
                html.write_text(quiz.to_html(name), encoding="utf-8")
            print(f"{quiz.load(name).title}: the page is {html}")


@app.command()
def glossary(
    term: Annotated[list[str] | None, typer.Argument(metavar="[TERM]", help="A term; none lists them all.")] = None,
) -> None:
    """Look a term up: what it means, what it is taken for, when to use it."""
    from kdcourse import quiz
    from kdcourse.quiz import terminal

    with _said("TERM"):
        entries, name = quiz.glossary(), " ".join(term or [])
        with _closest("entry", [name], [entry["term"] for entry in entries]):
            terminal.show_glossary(entries, name)


@app.command()
def audit(
    predictions: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV (also .csv.gz, .tsv) or Parquet, one example a row.")
    ],
    teacher: Annotated[str, typer.Option(help="Column of the teacher's classes; or of probabilities: 'teacher_*'.")],
    student: Annotated[list[str], typer.Option(help="The same of the student. May be given again: one report of all.")],
    slices: Annotated[
        list[str],
        typer.Option(
            "--slice",
            help="group; length:4 (quantile bins); length:10,100 (edges); year:levels; crossed: 'group*length:4', "
            "which brings both of them, too. May be given again.",
        ),
    ],
    label: Annotated[str | None, typer.Option(help="Column of the labels; not for score and loss.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The same of a model of equal size without a teacher.")] = None,
    ids: Annotated[str | None, typer.Option("--id", help="Column that may hold nothing twice.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="recall, f1, auroc, mae, score …; the site lists all; accuracy if not said.")
    ] = None,
    pos_label: Annotated[str | None, typer.Option("--class", help="Class of such a metric; 1 of 0 and 1.")] = None,
    threshold: Annotated[float | None, typer.Option(help="From this probability on, --class is chosen.")] = None,
    quantile: Annotated[float | None, typer.Option(help="Of the pinball loss; 0.5 if not said.")] = None,
    weights: Annotated[str | None, typer.Option("--weight", help="Column of how much an example counts.")] = None,
    clusters: Annotated[str | None, typer.Option("--cluster", help="Column of users, say: tested as wholes.")] = None,
    max_gap: Annotated[float | None, typer.Option(help="Loss a slice may have, a share; 0.02 if not said.")] = None,
    min_samples: Annotated[int | None, typer.Option(help="Smallest slice to judge; 100 if not said.")] = None,
    confidence: Annotated[float | None, typer.Option(help="Of all verdicts together; 0.95 if not said.")] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(help="TOML: those three, a metric, require, correction, tables thresholds and waivers."),
    ] = None,
    require_pass: Annotated[
        bool, typer.Option("--require-pass", help="A slice that is not shown to be safe has exit status 3.")
    ] = False,
    correction: Annotated[
        str | None, typer.Option(metavar="holm|fdr", help="holm, if not said, for a release; fdr for exploring.")
    ] = None,
    confidence_bins: Annotated[
        int | None, typer.Option(help="Slice by the teacher's confidence, so many bins.")
    ] = None,
    compare: Annotated[Path | None, typer.Option(help="An earlier audit as JSON: what changed since?")] = None,
    search: Annotated[int, typer.Option(help="Find so many worst slices on one half, confirm on the other.")] = 0,
    confusion: Annotated[bool, typer.Option("--confusion", help="Show the mistakes in the worst slice.")] = False,
    examples: Annotated[int, typer.Option(help="Show so many examples that the worst slice loses.")] = 0,
    note: Annotated[str | None, typer.Option(help="Who signs the report, and when.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page that needs nothing else.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything for programs.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the worst rows for a pull request.")] = None,
) -> None:
    """Where does a student lose what its teacher knows? Exit status 0 good, 1 flagged, 2 bad input, 3 undecided."""
    options = {name: value for name, value in locals().items() if name != "predictions"}
    try:
        from kdcourse.audit import command

        status = command.run(predictions, **options)
    except typer.BadParameter:
        raise
    except Exception:
        traceback.print_exc()
        status = 2  # 1 means flagged, and nothing else
    raise typer.Exit(status)


@contextmanager
def _said(hint: str) -> Iterator[None]:
    """Inside, a value that is wrong ends the command with a sentence about the argument `hint`."""
    try:
        yield
    except UnicodeError:  # of the terminal: it is no fault of an argument
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=hint) from None


@contextmanager
def _closest(kind: str, given: Sequence[str], known: Sequence[str]) -> Iterator[None]:
    """Inside, an error for the first name that is not known says the closest ones, where there are any."""
    try:
        yield
    except ValueError:
        unknown = next((name for name in given if name not in known), "")
        names = {name.casefold(): name for name in known}
        close = [name for name in names if unknown and name.startswith(unknown.casefold())]
        close += difflib.get_close_matches(unknown.casefold(), names, n=3)
        if not close:
            raise
        shown = ", ".join(names[name] for name in list(dict.fromkeys(close))[:3])
        raise ValueError(f"no {kind} {unknown!r}; closest: {shown}") from None


@contextmanager
def _written(path: Path, hint: str) -> Iterator[None]:
    """Inside, a file that cannot be written ends the command with a sentence about it."""
    try:
        yield
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint=hint) from None


def main() -> None:
    """Run the command; what is missing of the course is told in one sentence, with exit status 2.

    A terminal that lacks a letter gets an escape for it, and a reader who has seen enough ends the command in silence.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more when it leaves
        sys.exit(1)
    except (_course.CourseError, OSError) as error:
        if not (said := _course.explained(error)):
            raise
        print(said, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
