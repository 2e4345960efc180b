"""A small model through every stage, by the command line as a user would."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from export.doctor.finding import Finding, State
from export.doctor.sample import CLASSES, MODEL, draw_pictures, write_data, write_version

# Which extras a stage needs; a machine that only serves needs no others.
NEEDS = {
    "train": ("train",),
    "export": ("train", "export"),
    "parity": ("train", "export"),
    "edge kit": ("train", "export", "edge"),
    "serve": ("serve",),
    "predict": ("client",),
    "parity of the server": ("serve", "client"),
}
COMMAND = [sys.executable, "-P", "-c", "import keraport; keraport.main()"]
ASKED = 20  # pictures to predict
READY = re.compile(r"^ready.*gRPC on (\S+)", re.MULTILINE)
START_LIMIT_S, STOP_LIMIT_S = 60.0, 30.0
LOG_LINES = 20
INTERRUPTED = 130


class _Failed(Exception):  # noqa: N818  (it never leaves this module)
    """A stage does not work; what it printed."""

    def __init__(self, message: str, log: str) -> None:
        super().__init__(message)
        self.log = "\n".join(log.splitlines()[-LOG_LINES:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A small model's way through the stages.

    Attributes:
        folder: to work in, empty.
        extras: those that are installed.
        time_limit_s: for one stage.
        telling: entered around each stage, with what it is.
    """

    folder: Path
    extras: set[str]
    time_limit_s: float
    telling: Callable[[str], AbstractContextManager[None]]

    def run(self) -> list[Finding]:
        """Go as far as what is installed leads."""
        write_data(self.folder / "doctor.npz")
        findings = [self._stage("train", self._train)]
        findings += self._export(trained=findings[0].state is State.OK)
        exported = (self._repository / MODEL).is_dir()
        findings.append(
            self._stage("parity", self._parity)
            if exported
            else self._unreached("parity", "there is no exported version")
        )
        findings += self._edge(exported=exported)
        if not exported:
            write_version(self._repository)
        return findings + self._serve(exported=exported)

    @property
    def _repository(self) -> Path:
        return self.folder / "models"

    def _stage(self, check: str, work: Callable[[], str]) -> Finding:
        if missing := self._missing(check):
            return missing
        begin = time.monotonic()
        try:
            with self.telling(f"trying {check}"):
                detail = work()
        except _Failed as failure:
            return Finding(
                check=check,
                state=State.BROKEN,
                detail=str(failure),
                seconds=time.monotonic() - begin,
                log=failure.log,
            )
        return Finding(check=check, state=State.OK, detail=detail, seconds=time.monotonic() - begin)

    def _missing(self, check: str) -> Finding | None:
        lacking = [extra for extra in NEEDS[check] if extra not in self.extras]
        if not lacking:
            return None
        return Finding(
            check=check,
            state=State.MISSING,
            detail=f"needs the extra {lacking[-1]}",
            mend=f"pip install 'keraport[{lacking[-1]}]'",
        )

    def _unreached(self, check: str, why: str) -> Finding:
        return self._missing(check) or Finding(check=check, state=State.SKIPPED, detail=why)

    def _train(self) -> str:
        record = self._json(
            "train", "--data", "doctor.npz", "--recipe", "tiny", "--epochs", "2", "--out", f"runs/{MODEL}"
        )
        return f"test accuracy {record['test']['accuracy']:.1%}"

    def _export(self, *, trained: bool) -> list[Finding]:
        """One finding for the stage, and one for every format that is not well."""
        if not trained:
            return [self._unreached("export", "there is no trained model")]
        formats: list[Finding] = []

        def work() -> str:
            options = ("export", f"runs/{MODEL}", "--model", MODEL)
            outcome = self._json(*options, "--formats", "all", accepted=(0, 1, 3))
            formats.extend(_format_findings(outcome["artifacts"]))
            total = len(outcome["artifacts"])
            if outcome.get("manifest") is None:  # for the stages after this one
                self._json(*options, "--formats", "onnx")
            return f"{total - len(formats)} of {total} formats"

        stage = self._stage("export", work)
        return [stage, *formats]

    def _parity(self) -> str:
        result = self._json("parity", f"models/{MODEL}/1/model.onnx", "--reference", f"runs/{MODEL}")
        return str(result["artifacts"][0]["reason"])

    def _edge(self, *, exported: bool) -> list[Finding]:
        """One finding for the kit, and one for what it could not be run on."""
        check = "edge kit"
        if not exported:
            return [self._unreached(check, "there is no exported version")]
        left_out: list[str] = []

        def work() -> str:
            options = ("--out", "kit", "--data", "doctor.npz", "--verify")
            kit = self._json("edge", f"models/{MODEL}/1", *options, accepted=(0, 3))
            if broken := [board["reason"] for board in kit["boards"] if board["broken"]]:
                raise _Failed(broken[0], "\n".join(broken))
            if kit["browser"]["broken"]:
                raise _Failed(kit["browser"]["broken"], "")
            boards = {board["cpu"]: board["reason"] for board in kit["boards"]}
            left_out.extend(f"{cpu}: {reason}" for cpu, reason in boards.items() if reason)
            browser, host = kit["browser"], ["this machine"] if kit["host"]["golden"] else []
            if browser["missing"]:
                left_out.append(f"a browser: {' and '.join(browser['missing'])} missing")
            ran = [*host, *(cpu for cpu, reason in boards.items() if not reason), browser["release"]]
            return f"runs on {', '.join(filter(None, ran))}"

        findings = [self._stage(check, work)]
        if left_out:
            mend = "make tools-edge browser"
            findings.append(
                Finding(check="devices", state=State.MISSING, detail="; ".join(left_out), mend=mend)
            )
        return findings

    def _serve(self, *, exported: bool) -> list[Finding]:
        after = ("predict", "parity of the server")
        if missing := self._missing("serve"):
            return [missing, *(self._unreached(check, "there is no server") for check in after)]
        findings: list[Finding] = []
        begin = time.monotonic()
        try:
            with self._server(unverified=not exported) as url:
                started = time.monotonic() - begin
                findings.append(self._stage("predict", lambda: self._predict(url)))
                findings.append(self._stage("parity of the server", lambda: self._parity_of(url)))
        except _Failed as failure:
            stage = Finding(check="serve", state=State.BROKEN, detail=str(failure), log=failure.log)
            findings = findings or [self._unreached(check, "there is no server") for check in after]
            return [replace(stage, seconds=time.monotonic() - begin), *findings]
        what = "the exported version" if exported else "a model made by hand, for there is no exported one"
        return [Finding(check="serve", state=State.OK, detail=what, seconds=started), *findings]

    def _predict(self, url: str) -> str:
        pictures, classes = draw_pictures(ASKED, 2)
        np.save(self.folder / "asked.npy", pictures)
        rows = self._json("predict", "asked.npy", "--url", url)["predictions"]
        right = sum(row["label"] == str(known) for row, known in zip(rows, classes, strict=True))
        if right < ASKED * (CLASSES - 1) / CLASSES:
            raise _Failed(f"{right} of {ASKED} classes are right", "")
        return f"{right} of {ASKED} classes right"

    def _parity_of(self, url: str) -> str:
        result = self._json("parity", f"models/{MODEL}/1", "--url", url, "--data", "doctor.npz")
        return str(result["reason"])

    @contextlib.contextmanager
    def _server(self, *, unverified: bool) -> Iterator[str]:
        """A server on a free port; it must stop when it is told to."""
        log = self.folder / "server.log"
        ports = ["--port=0", "--http-port=off", "--metrics-port=off"]
        command = [*COMMAND, "serve", *ports, *(["--allow-unverified"] if unverified else [])]
        with log.open("wb") as stream:
            process = subprocess.Popen(  # noqa: S603  (this interpreter, a fixed command)
                command, cwd=self.folder, env=_environment(), stdin=subprocess.DEVNULL, stderr=stream
            )
        try:
            deadline = time.monotonic() + START_LIMIT_S
            while not (ready := READY.search(_read(log))):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise _Failed(_reason(_read(log)) or "it does not become ready", _read(log))
                time.sleep(0.05)
            yield ready[1]
            process.terminate()
            try:
                code = process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                raise _Failed("it does not stop on SIGTERM", _read(log)) from None
            if code != 0:
                raise _Failed(f"it ends with exit code {code}, not 0", _read(log))
        finally:
            process.kill()
            process.wait()

    def _json(self, *arguments: str, accepted: Sequence[int] = (0,)) -> Any:  # noqa: ANN401  (a JSON document)
        """Run a command, read its JSON document."""
        try:
            result = subprocess.run(  # noqa: S603  (this interpreter, fixed commands)
                [*COMMAND, *arguments, "--json"],
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self.time_limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _Failed(
                f"no end within {self.time_limit_s:g} s: raise --time-limit", str(error.stderr)
            ) from None
        if result.returncode == INTERRUPTED:
            raise KeyboardInterrupt
        log = result.stderr + result.stdout[-1000:] if result.returncode not in accepted else result.stderr
        if result.returncode not in accepted:
            raise _Failed(_reason(result.stderr) or f"exit code {result.returncode}", log)
        try:
            return json.loads(result.stdout)
        except ValueError:
            raise _Failed(_reason(result.stderr) or "it prints no JSON", log) from None


def _format_findings(artifacts: Sequence[dict[str, Any]]) -> list[Finding]:
    states = {"inconclusive": State.WARNING, "fail": State.BROKEN, "refused": State.BROKEN}
    return [
        Finding(
            check=f"export to {each['format']}",
            state=states[each["verdict"]],
            detail=each["reason"],
            log=each.get("log", ""),
        )
        for each in artifacts
        if each["verdict"] in states
    ]


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "NO_COLOR": "1",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }


def _reason(log: str) -> str:
    """The last error that a command says."""
    errors = [line.removeprefix("error: ") for line in log.splitlines() if line.startswith("error: ")]
    return errors[-1][:300] if errors else ""


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
