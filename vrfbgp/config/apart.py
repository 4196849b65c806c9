"""Understands the files in a process of its own, `python -m vrfbgp.config.apart`, that ends with its answer.

The schemas and the libraries behind them take some 20 MB, of which nothing is left in the daemon; and a large
config that is read again does not hold up the loop around the core.
"""

from __future__ import annotations

import pickle
import subprocess
import sys

from vrfbgp import itself
from vrfbgp.config.question import Answer, Question
from vrfbgp.intent import Problem, Reason, Severity

PROGRAM = itself.program("vrfbgp.config.apart")


def understand_apart(question: Question, program: tuple[str, ...] = PROGRAM) -> Answer:
    """Have the question answered. Blocks.

    A process that fails refuses the files: what runs, runs on. What it said on its standard error is in our
    own.
    """
    try:
        done = subprocess.run(
            program,
            input=pickle.dumps(question),
            stdout=subprocess.PIPE,
            env=itself.environment(),
            start_new_session=True,
            check=True,
        )
        answer: Answer = pickle.loads(done.stdout)
    except OSError as error:
        return (_failed(f"{program[0]} cannot be started: {error.strerror}"),)
    except subprocess.CalledProcessError as error:
        return (_failed(f"the process that reads them ended with status {error.returncode}"),)
    except (EOFError, pickle.UnpicklingError):
        return (_failed("the process that reads them ended without an answer"),)
    return answer


def _failed(cause: str) -> Problem:
    text = f"The files were not read, {cause}: see the log, then try again by `vrfbgp reload`."
    return Problem(Severity.REFUSED, Reason.NO_EFFECT, "config", text)


def main() -> None:
    """Answer the question on standard input."""
    from vrfbgp.config.understand import understand

    question: Question = pickle.load(sys.stdin.buffer)
    pickle.dump(understand(question), sys.stdout.buffer)


if __name__ == "__main__":
    main()
