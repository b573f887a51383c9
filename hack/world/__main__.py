"""`python -m world`: bring the small world to life, or find it alive. Made twice it is made once.

Prints one line a step, so that whoever waits sees what for.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import httpx

from world.people import CREATOR, FINANCE, OPERATOR, STAFF, Person, employ, sign_up, token_of
from world.platform import Platform, WorldFailed, read
from world.shop import Buyer, refund

ASHA = Person("Asha Rao", vpa="asha@asha", pin="1234")
KABIR = Person("Kabir Das", vpa="kabir@banyan", pin="2468")
LEELA = Person("Leela Nair", vpa="leela@banyan", pin="1234")
NOOR = Person("Noor Khan", vpa="noor@asha", pin="1357")
OMAR = Person("Omar Ali", vpa="omar@asha", pin="2468")
LEARNERS = (ASHA, KABIR, LEELA, NOOR, OMAR)
COURSE = "The Python Tutorial"
SELF_PACED = "Self-paced"


def main() -> int:
    """0 when the world is there."""
    asked = argparse.ArgumentParser(prog="python -m world", description=__doc__)
    asked.add_argument("--url", required=True, help="where the platform answers")
    asked.add_argument("--kubectl", required=True, help="the program that reaches its cluster")
    arguments = asked.parse_args()
    platform = Platform(arguments.url.rstrip("/"), (arguments.kubectl,))
    try:
        make(platform)
    except (WorldFailed, httpx.TransportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        platform.close()
    return 0


def make(platform: Platform) -> None:
    """Staff, a price on the tutorial, learners, and an order in every state."""
    for person in STAFF:
        say(f"{person.name}, {person.role}")
        employ(platform, person)
    course, variant = offer(platform)
    for person in LEARNERS:
        say(f"{person.name} signs up")
        sign_up(platform, person)
    finance = platform.browser(token_of(platform, FINANCE))
    buy(platform, finance, course, variant)


def offer(platform: Platform) -> tuple[str, str]:
    """Ira puts a price on the tutorial; the course, and what of it is bought."""
    say(f"{CREATOR.name} offers {COURSE}")
    command = [sys.executable, "-m", "suuupra", "commerce", "demo", "--base-url", platform.url]
    ran = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "TOKEN": token_of(platform, OPERATOR)}
    )
    if ran.returncode:
        raise WorldFailed(f"commerce demo: {ran.stderr.strip() or ran.stdout.strip()}")
    shop = platform.browser()
    found = read(shop.get("/v1/courses", params={"q": COURSE}))["items"]
    course = next(one["id"] for one in found if one["title"] == COURSE)
    product = read(shop.get("/v1/products", params={"course_id": course}))["items"][0]
    return course, next(one["id"] for one in product["variants"] if one["title"] == SELF_PACED)


def buy(platform: Platform, finance: httpx.Client, course: str, variant: str) -> None:
    """Each learner's order ends in a state of its own. Who has ordered already is left as they are."""
    asha, kabir, leela, noor, omar = (Buyer.of(platform, person) for person in LEARNERS)
    if not asha.orders():
        say("Asha pays, and reads six lessons")
        asha.pay(asha.order(variant, "asha", coupon="WELCOME10"), "asha")
        asha.study(course, 6)
    if not kabir.orders():
        say("Kabir orders and does not pay: the order expires")
        kabir.attempt(kabir.order(variant, "kabir"), "kabir")
    if not leela.orders():
        say("Leela pays, and gets her money back")
        order = leela.order(variant, "leela")
        leela.pay(order, "leela")
        refund(finance, order)
    if not noor.orders():
        say("Noor declines, and cancels")
        order = noor.order(variant, "noor")
        noor.decline(order, "noor")
        noor.cancel(order)
    if not omar.orders():
        say("Omar pays, and gets a part back")
        order = omar.order(variant, "omar")
        omar.pay(order, "omar")
        refund(finance, order, "100.00")


def say(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    sys.exit(main())
