"""Large numbers as a person reads them; nothing at all for 0, so that a table shows what there is."""


def amount(number: int) -> str:
    """In three digits: 4.09 G, 118 M."""
    if not number:
        return ""
    for power, sign in ((9, " G"), (6, " M"), (3, " k")):
        if number >= 0.9995 * 10**power:
            return _three_digits(number / 10**power) + sign
    return str(number)


def mib(size: int) -> str:
    """Bytes in MiB, without the unit."""
    if not size:
        return ""
    return "<.01" if size < 0.005 * 2**20 else _three_digits(size / 2**20)


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"
