"""`python3 hack VERB`: what every line of the Makefile calls."""

import argparse
import os
import sys

from bringup import bench, checks, down, paths, status, up
from bringup.job import CommandFailed, NotReady
from bringup.knobs import KnobError, load
from bringup.refusals import Refusal
from bringup.steps import StepFailed

FAILED, REFUSED, INTERRUPTED = 1, 2, 130


def main() -> int:
    """Run one verb; the exit code says whether it worked (0), failed (1) or was refused (2)."""
    parser = argparse.ArgumentParser(prog="make", description="Bring Suuupra up on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="bring everything up, or back up")
    verbs.add_parser("status", help="what runs, where it is, what is not ready and why")
    check = verbs.add_parser("test", help="run every check")
    check.add_argument("--fast", action="store_true", help="leave the cluster out")
    verbs.add_parser("bench", help="measure, print and record").add_argument("names", nargs="*")
    delete = verbs.add_parser("down", help="delete the cluster")
    delete.add_argument("--yes", action="store_true", help="do not ask before deleting data")
    delete.add_argument("--purge", action="store_true", help="delete images and caches too")
    build = verbs.add_parser("images", help="build images (all, or those named) and give them to the cluster")
    build.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    try:
        knobs = load(paths.ROOT, os.environ)
        match arguments.verb:
            case "up":
                up.up(knobs)
            case "status":
                return 0 if status.show(up.user_cluster(knobs)) else FAILED
            case "test":
                return 0 if checks.test(knobs, fast=arguments.fast) else FAILED
            case "bench":
                return bench.bench(knobs, arguments.names)
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


if __name__ == "__main__":
    sys.exit(main())
