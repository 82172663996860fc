"""``batches why``: says what is wrong with a batch, and what to type."""

from rich.text import Text

from dispatcher.cli.output import styled
from dispatcher.cli.tables import age, when
from dispatcher.client import Diagnosis


def diagnosis_lines(seen: Diagnosis) -> Text:
    """Return the findings as lines that can be copied from a narrow terminal."""
    shown = styled(f"batch {seen.batch} is {seen.state}")
    for finding in seen.findings:
        shown.append("\n\n").append_text(styled(finding.sentence, "bold"))
        times = [f"since {when(finding.since)} ({age(finding.since)})"] if finding.since else []
        goes_on = "begins" if finding.cause == "scheduled" else "tried again"
        times += [f"{goes_on} {age(finding.until)}"] if finding.until else []
        examples = f"for example {', '.join(finding.examples)}" if finding.examples else ""
        for line in filter(None, (", ".join(times), examples, finding.meaning)):
            shown.append("\n  ").append_text(styled(line))
        for command in finding.commands:
            shown.append("\n      ").append_text(styled(command))
    return shown
