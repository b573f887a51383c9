"""The verbs of `make`, and what is said when one of them does not end well."""

import argparse
import os
import platform
import signal
import sys

from bringup import bench, checks, clusters, down, drills, paths, status, up
from bringup.job import CommandFailed, NotReady, stop
from bringup.knobs import KnobError, load
from bringup.refusals import Refusal, machine_kind
from bringup.steps import StepFailed

FAILED, REFUSED, INTERRUPTED = 1, 2, 130
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exports() -> str:
    """A line for the user's shell, after which kubectl, helm, kind and the kit's `python` are found by name."""
    return f'export PATH="{paths.BIN}:{paths.VENV / "bin"}:$PATH"'


def main() -> int:
    """Run one verb; the exit code says whether it worked (0), failed (1) or was refused (2)."""
    parser = argparse.ArgumentParser(prog="make", description="Bring Suuupra up on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="bring everything up, or back up")
    verbs.add_parser("status", help="what runs, where it is, what is not ready and why")
    verbs.add_parser("env", help="print what puts kubectl, helm, kind and the kit on PATH")
    check = verbs.add_parser("test", help="run every check")
    check.add_argument("--fast", action="store_true", help="leave the cluster out")
    check.add_argument("--anew", action="store_true", help="also run what passed and did not change since")
    verbs.add_parser("bench", help="measure, print and record").add_argument("names", nargs="*")
    drill = verbs.add_parser("drill", help="one of tests/recovery, by name; without a name, which there are")
    drill.add_argument("name", nargs="?")
    drill.add_argument("words", nargs="*", help="the drill's own, such as how long its outage lasts")
    drill.add_argument("--yes", action="store_true", help="say that you mean it, to one that asks")
    delete = verbs.add_parser("down", help="delete the cluster")
    delete.add_argument("--yes", action="store_true", help="do not ask before deleting data")
    delete.add_argument("--purge", action="store_true", help="delete images and caches too")
    build = verbs.add_parser("images", help="build images (all, or those named) and give them to the cluster")
    build.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    for word in STOPS:
        signal.signal(word, stop)
    os.environ.update(paths.PROGRAM_CACHES)
    try:
        if refusal := machine_kind(platform.system(), platform.machine()):
            raise refusal
        knobs = load(paths.ROOT, os.environ)
        match arguments.verb:
            case "up":
                up.up(knobs)
            case "status":
                return 0 if status.show(clusters.of_user(knobs)) else FAILED
            case "test":
                return 0 if checks.test(knobs, fast=arguments.fast, anew=arguments.anew) else FAILED
            case "bench":
                return bench.bench(knobs, arguments.names)
            case "drill" if arguments.name is None:
                drills.show()
            case "drill":
                return drills.drill(arguments.name, [*arguments.words, *(["--yes"] if arguments.yes else [])])
            case "env":
                print(exports())
            case "down":
                return 0 if down.down(knobs, yes=arguments.yes, purge=arguments.purge) else FAILED
            case "images":
                up.build_images(knobs, arguments.names)
    except (Refusal, KnobError) as refusal:
        print(f"\nRefused, nothing was changed:\n  {refusal}", file=sys.stderr)
        return REFUSED
    except StepFailed as failure:
        print(
            f"\n{failure}\n\nThe whole log: {failure.job.log}\nRun the same command to go on from here.",
            file=sys.stderr,
        )
        return FAILED
    except (CommandFailed, NotReady) as failure:
        print(f"\n{failure}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\nStopped. Run the same command to go on from here.", file=sys.stderr)
        return INTERRUPTED
    return 0
