#!/usr/bin/env python3
"""Style of the .proto files: the comments are the API reference, the names follow protobuf's guide,
and numbers are not used twice."""

from __future__ import annotations

import re
import sys

import repo
from repo import Finding

BLOCK = re.compile(r"^(\s*)(message|enum|service)\s+(\w+)\s*\{")
RPC = re.compile(r"^\s*rpc\s+(\w+)")
FIELD = re.compile(r"^\s*(?:repeated |optional )?(?:map<[^>]+>|[\w.]+)\s+(\w+)\s*=\s*(\d+)\s*[;\[]")
VALUE = re.compile(r"^\s*([A-Z]\w*)\s*=\s*(-?\d+)\s*[;\[]")
RULES = ("proto-comment", "proto-name", "proto-number")


def snake_upper(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def check_file(path: str) -> list[Finding]:
    findings: list[Finding] = []
    # Kind, name and used numbers of each block that is open.
    stack: list[tuple[str, str, set[int]]] = []
    previous = ""

    def finding(number: int, rule: str, message: str) -> None:
        findings.append(Finding(path, number, rule, message))

    lines = repo.read(path).splitlines()
    for number, line in enumerate(lines, 1):
        code = line.split("//", 1)[0]
        # Before it, beside it, or as the first thing inside it.
        inside = lines[number].strip() if number < len(lines) else ""
        documented = "//" in line or any(t.strip().startswith("//") for t in (previous, inside))
        block, rpc = BLOCK.match(code), RPC.match(code)
        if block:
            kind, name = block.group(2), block.group(3)
            # Requests and responses are explained by their rpc.
            if not documented and not name.endswith(("Request", "Response")):
                finding(number, "proto-comment", f"{kind} {name} has no comment")
            if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
                finding(number, "proto-name", f"{kind} {name}: write it in PascalCase")
            if "}" not in code:
                stack.append((kind, name, set()))
        elif rpc and not documented:
            finding(number, "proto-comment", f"rpc {rpc.group(1)} has no comment")
        elif re.match(r"^\s*oneof\b", code):
            stack.append(("oneof", "", stack[-1][2]))
        elif stack and stack[-1][0] == "enum" and (value := VALUE.match(code)):
            _, enum_name, used = stack[-1]
            prefix = snake_upper(enum_name) + "_"
            if not value.group(1).startswith(prefix):
                finding(number, "proto-name", f"{value.group(1)} does not start with {prefix}")
            if int(value.group(2)) in used:
                finding(number, "proto-number", f"{value.group(2)} is used twice")
            used.add(int(value.group(2)))
        elif stack and stack[-1][0] in ("message", "oneof") and (field := FIELD.match(code)):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", field.group(1)):
                finding(number, "proto-name", f"field {field.group(1)}: write it in snake_case")
            if int(field.group(2)) in stack[-1][2]:
                finding(number, "proto-number", f"{field.group(2)} is used twice")
            stack[-1][2].add(int(field.group(2)))
        if not block and code.strip().startswith("}") and stack:
            stack.pop()
        previous = line
    return findings


def main() -> int:
    protos = [path for path in repo.files() if path.startswith("proto/") and path.endswith(".proto")]
    findings = [finding for path in protos for finding in check_file(path)]
    findings += repo.unused_exceptions(RULES, findings)
    return repo.report("proto_style", findings, len(protos))


if __name__ == "__main__":
    sys.exit(main())
