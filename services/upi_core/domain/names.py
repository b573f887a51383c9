"""Names as others may see them."""


def masked(name: str) -> str:
    """`Asha Rao` → `A*** R**`: enough to know somebody, too little to find them."""
    return " ".join(f"{part[:1]}{'*' * (len(part) - 1)}" for part in name.split())
