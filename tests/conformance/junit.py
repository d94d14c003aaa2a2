"""What pytest reports in a junit file."""

import re
import xml.etree.ElementTree as ElementTree


def outcomes(path, prefix):
    """{test: (pass | fail | skip, why)} of a junit file; the names without `prefix` and what stands before it."""
    result = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname').split(prefix)[-1]}.{case.get('name')}"
        failed = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if failed is not None:
            result[name] = ("fail", why_failed(failed.text or ""))
        elif skipped is not None:
            result[name] = ("skip", skipped.get("message") or "")
        else:
            result.setdefault(name, ("pass", ""))
    return result


def why_failed(report):
    """The last line of a report, and the line of the test it came from."""
    said = [line.strip() for line in report.splitlines() if line.strip()] or ["no report"]
    places = re.findall(r'(?:tests/\S*/)(test_\w+\.py)(?:", line |:)(\d+)', report)
    return said[-1][:300] + (f" ({places[-1][0]}:{places[-1][1]})" if places else "")
