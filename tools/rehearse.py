"""Run every command that a day's schedule names, by the clock, and say whether each is done while one still talks.

python tools/rehearse.py             # half a day
python tools/rehearse.py full-day

Lessons and drills run in their short form (FAST); everything is left in build/rehearsal. Exit status 1 if a command
fails, or takes longer than the piece of the day that it belongs to.
"""

import glob
import os
import shlex
import subprocess
import sys
import time

import kit
from build_workshop import clock

DAYS = {"half-day": kit.HALF_DAY, "full-day": kit.FULL_DAY}
OUT = kit.ROOT / "build" / "rehearsal"
LATE_BEFORE = 15  # minutes before the start, for what is done before people come


def planned(day):
    """[(minutes after midnight, minutes, what, command)] of all commands of a day."""
    found = [(kit.START - LATE_BEFORE, LATE_BEFORE, "Before people come", command) for command in kit.BEFORE]
    for when, one in kit.day(DAYS[day]):
        found += [(when, one.minutes, one.what, command) for command in one.commands]
    return found


def arguments(command):
    """A command as it is run here: by this Python, in the short form, with files in place of a pattern."""
    words = shlex.split(command)
    words[:1] = {"kdcourse": [sys.executable, "-m", "kdcourse.cli"], "python": [sys.executable]}[words[0]]
    if "tools/drill.py" in command:
        words.append("--fast")
    return [name for word in words for name in (sorted(glob.glob(word, root_dir=kit.ROOT)) if "*" in word else [word])]


def main():
    day = sys.argv[1] if len(sys.argv) > 1 else "half-day"
    if day not in DAYS:
        sys.exit(f"the day must be one of {', '.join(DAYS)}, got {day!r}")
    OUT.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "KDCOURSE_HOME": str(OUT), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    wrong = total = 0
    for number, (when, minutes, what, command) in enumerate(planned(day), 1):
        start = time.perf_counter()
        with open(OUT / f"{number:02}.log", "w", encoding="utf-8") as log:
            code = subprocess.run(
                arguments(command), cwd=kit.ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            ).returncode
        seconds = time.perf_counter() - start
        bad = bool(code) or seconds > 60 * minutes
        wrong, total = wrong + bad, total + seconds
        state = f"FAIL ({code})" if code else "LATE" if bad else "ok"
        print(f"{clock(when)}  {state:<8} {seconds:6.1f} s of {minutes:3} min  {what:<28} {command}", flush=True)
    print(f"{number - wrong} of {number} commands of the {day} are done in time; {total / 60:.1f} minutes of computing")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
