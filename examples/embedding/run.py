#!/usr/bin/env python3
"""The same from Python, by ctypes:  python3 run.py [libsbx.so.0]"""
import ctypes
import json
import sys

sbx = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else "libsbx.so.0")


class Verdict(ctypes.Structure):
    _fields_ = [("decided", ctypes.c_int), ("allowed", ctypes.c_int), ("denied", ctypes.c_int),
                ("rule", ctypes.c_void_p)]


Said = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t)
Event = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


class Run(ctypes.Structure):
    _fields_ = [
        ("command", ctypes.POINTER(ctypes.c_char_p)), ("sbxrun", ctypes.c_char_p),
        ("input", ctypes.c_int), ("output", ctypes.c_int), ("error", ctypes.c_int),
        ("data", ctypes.c_char_p), ("length", ctypes.c_size_t),
        ("said", Said), ("event", Event), ("context", ctypes.c_void_p),
    ]


class Result(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("report", ctypes.c_void_p)]


sbx.sbx_compile_text.restype = ctypes.c_void_p
sbx.sbx_compile_text.argtypes = [ctypes.c_char_p] * 3 + [ctypes.POINTER(t) for t in (ctypes.c_char_p, ctypes.c_void_p)]
sbx.sbx_check.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p)]
sbx.sbx_verdict.restype, sbx.sbx_verdict.argtypes = Verdict, [ctypes.c_void_p, ctypes.c_char_p]
sbx.sbx_run.restype, sbx.sbx_run.argtypes = Result, [ctypes.c_void_p, ctypes.POINTER(Run)]
sbx.sbx_free.argtypes = sbx.sbx_policy_free.argtypes = [ctypes.c_void_p]


def take(pointer):
    """The text of a `char *` that is ours, which is freed."""
    text = ctypes.string_at(pointer).decode() if pointer else ""
    sbx.sbx_free(pointer)
    return text


TEXT = b"""sbx 1;
import std.shell;
policy embedded { use std.shell; limits { lifetime 60s; } }
"""

findings = ctypes.c_void_p()
policy = sbx.sbx_compile_text(TEXT, None, None, None, ctypes.byref(findings))
if not policy:
    sys.exit(take(findings))
verdict = sbx.sbx_verdict(policy, b"connect tcp 192.0.2.1:443")
print("may connect:", "yes" if verdict.allowed else "no")
take(verdict.rule)
command = (ctypes.c_char_p * 4)(b"sh", b"-c", b"echo hello; cat", None)
said = Said(lambda _, stream, data, length: print(data[:length].decode(), end=""))
run = Run(command, None, -1, -1, -1, b"from outside\n", 13, said, Event(), None)
result = sbx.sbx_run(policy, ctypes.byref(run))
if result.status < 0:
    sys.exit(take(result.report))
print("status", result.status, json.loads(take(result.report))["ended"])
sbx.sbx_policy_free(policy)
sys.exit(result.status)
