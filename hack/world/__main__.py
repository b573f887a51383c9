"""`python -m world`: bring the small world to life, or find it alive. Made twice it is made once; cut off, it goes on.

Prints one line a step, so that whoever waits sees what for.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from world.creator import UPI, Creator
from world.left import (
    CANCELED,
    EXPIRED,
    PARTLY_REFUNDED,
    REFUNDED,
    STUDIED,
    UNPAID,
    Goal,
    Step,
    left,
    wait_over,
)
from world.people import CREATOR, FINANCE, OPERATOR, STAFF, Person, employ, sign_up
from world.platform import Platform, WorldFailed, read
from world.shop import Buyer, refund
from world.signing_in import token_of

ASHA = Person("Asha Rao", vpa="asha@asha", pin="1234")
KABIR = Person("Kabir Das", vpa="kabir@banyan", pin="2468")
LEELA = Person("Leela Nair", vpa="leela@banyan", pin="1234")
NOOR = Person("Noor Khan", vpa="noor@asha", pin="1357")
OMAR = Person("Omar Ali", vpa="omar@asha", pin="2468")
LEARNERS = (ASHA, KABIR, LEELA, NOOR, OMAR)
COURSE = "The Python Tutorial"
SELF_PACED = "Self-paced"


@dataclass(frozen=True)
class Shop:
    """What is bought, and where; `lessons`: how many of it somebody reads who studies."""

    platform: Platform
    course: str
    variant: str
    lessons: int


def main() -> int:
    """0 when the world is there."""
    asked = argparse.ArgumentParser(prog="python -m world", description=__doc__)
    asked.add_argument("--url", required=True, help="where the platform answers")
    asked.add_argument("--kubectl", required=True, help="the program that reaches its cluster")
    asked.add_argument(
        "--renew", action="store_true", help="it was made: only put an order in place that waits"
    )
    asked.add_argument(
        "--until", type=Path, required=True, help="file to write: when that order ends by itself"
    )
    arguments = asked.parse_args()
    platform = Platform(arguments.url.rstrip("/"), (arguments.kubectl,))
    try:
        waits_until = renew(platform) if arguments.renew else make(platform)
    except (WorldFailed, httpx.TransportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        platform.close()
    arguments.until.write_text(waits_until)
    return 0


def make(platform: Platform) -> str:
    """Staff, courses for sale, learners, and an order in every state; when the one that waits ends."""
    for person in STAFF:
        say(f"{person.name}, {person.role}")
        employ(platform, person)
    tutorial, own = offer(platform), create(platform)
    for person in LEARNERS:
        say(f"{person.name} signs up")
        sign_up(platform, person)
    return buy(tutorial, own)


def renew(platform: Platform) -> str:
    """Another order that waits to be paid, where the last one has expired; when it ends."""
    buyer = Buyer.of(platform, KABIR)
    tutorial = on_offer(platform)
    if left(UNPAID, buyer.orders(tutorial.course)).steps:
        say(f"{KABIR.name} orders again: the last order has expired")
        take(tutorial, buyer, UNPAID)
    return wait_over(buyer.orders(tutorial.course))


def create(platform: Platform) -> Shop:
    """Ira writes a course of her own, publishes it and sells it."""
    say(f"{CREATOR.name} writes a course, and sells it")
    ira = Creator.of(platform, CREATOR)
    course = ira.publish(UPI)
    return Shop(platform, course, ira.sell(UPI, course), lessons=2)


def offer(platform: Platform) -> Shop:
    """Omkar puts a price on the tutorial, which came with the platform and is no creator's."""
    say(f"{OPERATOR.name} offers {COURSE}")
    command = [sys.executable, "-m", "suuupra", "commerce", "demo", "--base-url", platform.url]
    token = token_of(platform, OPERATOR, "commerce:write")
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TOKEN": token})
    if ran.returncode:
        raise WorldFailed(f"commerce demo: {ran.stderr.strip() or ran.stdout.strip()}")
    return on_offer(platform)


def on_offer(platform: Platform) -> Shop:
    """The tutorial, and what of it is bought, as anybody finds them."""
    shop = platform.browser()
    found = read(shop.get("/v1/courses", params={"q": COURSE}))["items"]
    course = next(one["id"] for one in found if one["title"] == COURSE)
    product = read(shop.get("/v1/products", params={"course_id": course}))["items"][0]
    variant = next(one["id"] for one in product["variants"] if one["title"] == SELF_PACED)
    return Shop(platform, course, variant, lessons=6)


def buy(tutorial: Shop, own: Shop) -> str:
    """Each learner's order ends in a state of its own, from wherever it was left; when the one that waits ends.

    `own`: the creator's, which whoever has too little for the tutorial can pay.
    """
    asha, kabir, leela, noor, omar = (Buyer.of(tutorial.platform, person) for person in LEARNERS)
    say(f"Asha pays, and reads {tutorial.lessons} lessons")
    take(tutorial, asha, STUDIED, coupon="WELCOME10")
    say("Leela pays, and gets her money back")
    take(tutorial, leela, REFUNDED)
    say("Noor declines, and cancels")
    take(tutorial, noor, CANCELED)
    say(f"Noor pays for {CREATOR.name}'s course instead, and reads {own.lessons} lessons")
    take(own, noor, STUDIED)
    say("Omar pays, and gets a part back")
    take(tutorial, omar, PARTLY_REFUNDED, back="100.00")
    say("Kabir lets an order expire")
    take(tutorial, kabir, EXPIRED)
    say("Kabir orders again, and has not paid yet")
    take(tutorial, kabir, UNPAID)
    return wait_over(kabir.orders(tutorial.course))


def take(shop: Shop, buyer: Buyer, goal: Goal, *, coupon: str | None = None, back: str | None = None) -> None:
    """Take the steps that are left to that goal. `back`: how many rupees finance refunds; None: all."""
    found = left(goal, buyer.orders(shop.course))
    order = found.order or ""
    for step in found.steps:
        match step:
            case Step.ORDER:
                order = buyer.order(shop.variant, coupon, goal.expires_in)
            case Step.SHOW_CODE:
                buyer.attempt(order)
            case Step.PAY:
                buyer.pay(order)
            case Step.DECLINE:
                buyer.decline(order)
            case Step.CANCEL:
                buyer.cancel(order)
            case Step.LET_EXPIRE:
                buyer.let_expire(order)
            case Step.STUDY:
                buyer.study(shop.course, shop.lessons)
            case Step.REFUND:
                token = token_of(shop.platform, FINANCE, "orders:read", "orders:refund")
                refund(shop.platform.browser(token), order, back)


def say(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    sys.exit(main())
