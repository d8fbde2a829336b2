"""What an administrator sees of a survey: a summary, and a bar while it runs. Pure functions."""

from fsstore.report import CORRUPT, FOREIGN, LEFTOVER, LISTED, UNREADABLE, Report

__all__ = ["amount", "bar", "printable", "summary"]

_WIDTH = 20
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def summary(root: str, report: Report) -> str:
    """Return what was found, in lines for people."""
    lines = [
        f"{root}: {report.objects:,} objects, {amount(report.bytes)}, in {report.directories:,} directories",
        f"read and compared: {amount(report.read)}; without a checksum known here: {report.unverified:,} objects",
    ]
    lines += _table("size", "objects", report.sizes, is_amount=True)
    lines += _table("files", "directories", report.files, is_amount=False)
    lines += [f"empty directories: {report.empty:,}; removed: {report.pruned:,}"] if report.empty else []
    lines += [f"files that may be under way: {report.young:,}"] if report.young else []
    kinds = ", ".join(f"{kind} {getattr(report, kind):,}" for kind in (CORRUPT, UNREADABLE, LEFTOVER, FOREIGN))
    lines += [f"wrong: {report.wrong:,} ({kinds}); mended: {report.mended:,}"]
    lines += [f"  {finding.kind:10}  {printable(finding.path)}: {finding.reason}" for finding in report.found]
    if report.wrong > len(report.found):
        lines += [f"  and {report.wrong - LISTED:,} more"]
    if report.quarantined:
        lines += [f"in quarantine: {report.quarantined:,} objects: python -m fsstore quarantine {root}"]
    return "\n".join(lines)


def bar(done: float, report: Report, wrong: int, rate: float) -> str:
    """Return one line.

    :param done: the part of all that was looked at.
    :param rate: bytes a second.
    """
    full = "#" * int(done * _WIDTH)
    counts = f"{report.objects:,} objects  {amount(report.bytes)}  {amount(rate)}/s  {wrong:,} wrong"
    return f"[{full:.<{_WIDTH}}] {done:4.0%}  {counts}"


def amount(size: float) -> str:
    """Return a number of bytes in units of powers of ten."""
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"


def printable(path: str) -> str:
    """Return a path that does nothing to a terminal: anybody may have named it."""
    return path if path.isprintable() else ascii(path)


def _table(what: str, of: str, counts: dict[int, int], *, is_amount: bool) -> list[str]:
    """Return a histogram; a row is from its number up to the double."""
    rows = [(_binary(floor) if is_amount else f"{floor:,}", count) for floor, count in sorted(counts.items())]
    return [f"{f'{what} from':>14}  {of}", *(f"{floor:>14}  {count:,}" for floor, count in rows)] if rows else []


def _binary(size: int) -> str:
    for unit in ("", " KiB", " MiB", " GiB"):
        if size < 1024:
            return f"{size}{unit}"
        size //= 1024
    return f"{size} TiB"
