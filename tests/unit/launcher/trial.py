"""A launcher over small programs, to be interrupted and killed: `python trial.py DATA NAME=CODE[@AFTER] ...`."""

import sys
from pathlib import Path

from casekin.errors import CasekinError
from casekin.launcher.console import Terminal
from casekin.launcher.launch import launched
from casekin.launcher.processes import Part, Plan
from casekin.launcher.supervisor import Patience

PATIENCE = Patience(crashes=3, first_wait_s=0.05)


def part(data: Path, spec: str) -> Part:
    name, _, rest = spec.partition("=")
    code, _, after = rest.rpartition("@")
    says_ready = data / f"{name}.ready"
    return Part(
        name=name,
        command=[sys.executable, "-c", code],
        log=data / "logs" / f"{name}.log",
        environment={"READY": str(says_ready), "EVENTS": str(data / "events"), "NAME": name},
        after=tuple(after.split(",")) if after else (),
        ready=says_ready.exists,
        stop_within_s=2.0,
    )


def main() -> int:
    data = Path(sys.argv[1])
    plan = Plan(parts=[part(data, spec) for spec in sys.argv[2:]], urls={"ui": "http://127.0.0.1:1"})
    try:
        with launched(data, lambda: plan, Terminal(), patience=PATIENCE):
            print("all ready", flush=True)
            while True:
                sys.stdin.read(1)
    except KeyboardInterrupt:
        return 0
    except CasekinError as error:
        print(f"casekin: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
